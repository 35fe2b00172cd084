/** Operations between two service processes on one database: whichever dies, each run is changed once. */
import { expect, onTestFinished, test } from "vitest";
import type { ApiClient } from "../../src/api/client/client.ts";
import { openGrpcClient } from "../../src/api/client/grpc-client.ts";
import { FlowService } from "../../src/gen/orchestrator/v1/flow_service_pb.ts";
import { OperationAction, OperationState } from "../../src/gen/orchestrator/v1/operation_pb.ts";
import { OperationService } from "../../src/gen/orchestrator/v1/operation_service_pb.ts";
import { RunEventKind } from "../../src/gen/orchestrator/v1/run_event_pb.ts";
import { RunState } from "../../src/gen/orchestrator/v1/run_pb.ts";
import { RunService } from "../../src/gen/orchestrator/v1/run_service_pb.ts";
import { eventually } from "../support/eventually.ts";
import { createTestDatabase } from "../support/postgres.ts";
import { type ServeProcess, startServeForTest } from "../support/serve-process.ts";
import { createTemporaryFolder } from "../support/temporary-folder.ts";

/** So many that none of the deaths comes after the end. */
const RUNS = 10_000;
const BATCH = 100;

const FLOW = `
id: gate
version: "1"
workflow:
  tasks:
    - {id: go, type: signal, timeout: 1h}
`;

const { url, database } = await createTestDatabase();
const { startOperation, getOperation, waitOperation, listOperations } = OperationService.method;

interface Instance {
  readonly process: ServeProcess;
  readonly client: ApiClient;
}

async function serve(): Promise<Instance> {
  const env = { DATABASE_URL: url, ORCHESTRATOR_LEASE_TTL: "2s", ORCHESTRATOR_LOG_FORMAT: "json" };
  const process = await startServeForTest({ folder: createTemporaryFolder(), env });
  const client = openGrpcClient({ address: process.address });
  onTestFinished(() => client.close());
  return { process, client };
}

/** Resolves when two instances share the shards. */
async function shared(): Promise<void> {
  const look = async () => {
    const { rows } = await database.reads.query<{ shards: number }>(
      "SELECT count(*)::int AS shards FROM orchestrator.shard_leases WHERE instance_id IS NOT NULL GROUP BY instance_id",
    );
    expect(rows).toEqual([{ shards: 32 }, { shards: 32 }]);
  };
  await eventually(look, { timeoutMs: 60_000 });
}

async function startRuns({ client }: Instance, team: string, count: number): Promise<string[]> {
  const runIds: string[] = [];
  while (runIds.length < count) {
    const requests = Array.from({ length: Math.min(BATCH, count) }, () => ({ flowId: "gate", labels: { team } }));
    const { results } = await client.call(RunService.method.batchStartRuns, { requests });
    for (const { result } of results) if (result.case === "run") runIds.push(result.value.runId);
  }
  return runIds;
}

test("an operation of one instance changes the runs of the other, though either is killed on the way", {
  timeout: 300_000,
}, async () => {
  const first = await serve();
  await first.client.call(FlowService.method.registerFlow, { definition: { case: "source", value: FLOW } });
  const second = await serve();
  await shared();
  const runIds = await startRuns(second, "many", RUNS);
  const filter = 'labels["team"] == "many"';
  const { operation } = await first.client.call(startOperation, { action: OperationAction.CANCEL, filter });
  const operationId = operation?.operationId ?? "";
  const look = async ({ client }: Instance) => (await client.call(getOperation, { operationId })).operation;
  const advanced = (instance: Instance, before: number) =>
    eventually(
      async () => {
        const now = await look(instance);
        expect(now?.state).toBe(OperationState.RUNNING);
        expect(now?.doneCount).toBeGreaterThan(before);
      },
      { timeoutMs: 60_000 },
    );
  await advanced(first, 0);
  // The owner of the runs dies.
  await second.process.stop("SIGKILL");
  const before = (await look(first))?.doneCount ?? 0;
  await advanced(first, before + 200);
  const third = await serve();
  await shared();
  // The owner of the operation dies.
  expect((await look(third))?.state).toBe(OperationState.RUNNING);
  await first.process.stop("SIGKILL");
  const wait = { seconds: 45n };
  await eventually(
    async () => {
      const ended = await third.client.call(waitOperation, { operationId, wait }, { timeoutMs: 60_000 });
      expect(ended.operation?.endTime).toBeDefined();
    },
    { timeoutMs: 120_000 },
  );
  expect(await look(third)).toMatchObject({
    state: OperationState.COMPLETED,
    matchedCount: RUNS,
    doneCount: RUNS,
    failedCount: 0,
  });
  const { stateCounts } = await third.client.call(RunService.method.countRuns, { filter });
  expect(stateCounts.map(({ state, count }) => [state, Number(count)])).toEqual([[RunState.CANCELED, RUNS]]);
  for (const runId of runIds.filter((_, index) => index % 50 === 0)) {
    const { events } = await third.client.call(RunService.method.listRunEvents, { runId, pageSize: 100 });
    expect(events.filter(({ kind }) => kind === RunEventKind.RUN_ENDING)).toHaveLength(1);
  }
});

test("a wait at the other instance is answered when the operation ends", {
  timeout: 120_000,
}, async () => {
  const first = await serve();
  await first.client.call(FlowService.method.registerFlow, { definition: { case: "source", value: FLOW } });
  const second = await serve();
  await shared();
  await startRuns(second, "few", 300);
  const request = { action: OperationAction.CANCEL, filter: 'labels["team"] == "few"' };
  const { operation } = await first.client.call(startOperation, request);
  const operationId = operation?.operationId ?? "";
  const ended = await second.client.call(waitOperation, { operationId, wait: { seconds: 45n } }, { timeoutMs: 60_000 });
  expect(ended.operation).toMatchObject({ state: OperationState.COMPLETED, doneCount: 300 });
  const { operations } = await second.client.call(listOperations, { filter: `operation_id == "${operationId}"` });
  expect(operations).toEqual([ended.operation]);
  const metrics = await (await fetch(`http://127.0.0.1:${first.process.metricsPort}/metrics`)).text();
  expect(metrics).toContain('orchestrator_operation_runs_total{result="DONE"} 300');
  expect(metrics).toMatch(/^orchestrator_open_operations 0$/m);
});
