/** An instance that stands still without dying: calls that were sent on to it go to the next owner of their runs. */
import { expect, onTestFinished, test } from "vitest";
import { openGrpcClient } from "../../src/api/client/grpc-client.ts";
import { FlowService } from "../../src/gen/orchestrator/v1/flow_service_pb.ts";
import { RunEventKind } from "../../src/gen/orchestrator/v1/run_event_pb.ts";
import { RunState } from "../../src/gen/orchestrator/v1/run_pb.ts";
import { RunService } from "../../src/gen/orchestrator/v1/run_service_pb.ts";
import { eventually } from "../support/eventually.ts";
import { createTestDatabase } from "../support/postgres.ts";
import { startServeForTest } from "../support/serve-process.ts";
import { createTemporaryFolder } from "../support/temporary-folder.ts";

const FLOW = `
id: gate
version: "1"
workflow:
  tasks:
    - {id: gate, type: signal, parameters: {name: go}}
`;

const { url, database } = await createTestDatabase();

async function open() {
  const env = { DATABASE_URL: url, ORCHESTRATOR_LEASE_TTL: "3s" };
  const service = await startServeForTest({ folder: createTemporaryFolder(), env });
  const client = openGrpcClient({ address: service.address });
  onTestFinished(() => client.close());
  return { service, client };
}

async function readOwners(): Promise<readonly number[]> {
  const { rows } = await database.reads.query<{ shards: number }>(
    "SELECT count(*)::int AS shards FROM orchestrator.shard_leases WHERE instance_id IS NOT NULL GROUP BY instance_id ORDER BY 1",
  );
  return rows.map(({ shards }) => shards);
}

// Cause: a call at an owner that stood still stayed there until its deadline, long after the next owner could have
// answered it.
test("calls at an owner that stands still are made at the next one, and do not wait for their deadline", {
  timeout: 120_000,
}, async () => {
  const [owner, other] = [await open(), await open()];
  await owner.client.call(FlowService.method.registerFlow, { definition: { case: "source", value: FLOW } });
  await eventually(async () => expect(await readOwners()).toEqual([32, 32]), { timeoutMs: 20_000 });
  const start = async () => (await owner.client.call(RunService.method.startRun, { flowId: "gate" })).run?.runId ?? "";
  const [signaled, awaited, doubtful] = [await start(), await start(), await start()];
  // Opens the connection.
  await other.client.call(RunService.method.waitRun, { runId: signaled, wait: { nanos: 1_000_000 } });

  owner.service.child.kill("SIGSTOP");
  const { call } = other.client;
  const timeoutMs = 110_000;
  const go = (runId: string, requestId = "") =>
    call(RunService.method.signalRun, { runId, signalName: "go", requestId }, { timeoutMs });
  const stoppedAt = performance.now();
  const waiting = call(RunService.method.waitRun, { runId: awaited, wait: { seconds: 50n } }, { timeoutMs });
  const lost = expect(go(doubtful)).rejects.toMatchObject({ code: "PEER_LOST", repeat: "" });
  const { run } = await go(signaled, "once");
  expect(run?.runId).toBe(signaled);
  await lost;
  // The same call again is known where it went.
  await go(signaled, "once");
  await go(awaited);
  expect((await waiting).run?.state).toBe(RunState.COMPLETED);
  expect(performance.now() - stoppedAt).toBeLessThan(40_000);

  owner.service.child.kill("SIGCONT");
  await eventually(async () => expect(await readOwners()).toEqual([32, 32]), { timeoutMs: 30_000 });
  const { events } = await call(RunService.method.listRunEvents, { runId: signaled });
  expect(events.filter(({ kind }) => kind === RunEventKind.SIGNAL_RECEIVED)).toHaveLength(1);
});
