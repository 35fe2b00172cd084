/** Watches of a run at an instance that does not own it. */
import { expect, onTestFinished, test } from "vitest";
import type { ApiClient } from "../../src/api/client/client.ts";
import { openGrpcClient } from "../../src/api/client/grpc-client.ts";
import { FlowService } from "../../src/gen/orchestrator/v1/flow_service_pb.ts";
import type { RunEvent } from "../../src/gen/orchestrator/v1/run_event_pb.ts";
import { RunState } from "../../src/gen/orchestrator/v1/run_pb.ts";
import { RunService } from "../../src/gen/orchestrator/v1/run_service_pb.ts";
import { TaskReportOutcome } from "../../src/gen/orchestrator/v1/worker_pb.ts";
import { eventually } from "../support/eventually.ts";
import { holdTasks } from "../support/held-tasks.ts";
import { createTestDatabase } from "../support/postgres.ts";
import { type ServeProcess, startServeForTest } from "../support/serve-process.ts";
import { createTemporaryFolder } from "../support/temporary-folder.ts";

const FLOW = `
id: held
version: "1"
workflow:
  tasks:
    - {id: a, type: worker, parameters: {handler: hold}}
    - {id: b, type: worker, depends_on: [a], parameters: {handler: hold}}
`;

const done = { outputValue: { case: "outputJson", value: new TextEncoder().encode("1") } };

const { url, database } = await createTestDatabase();

interface Instance {
  readonly service: ServeProcess;
  readonly client: ApiClient;
}

async function open(): Promise<Instance> {
  const env = { DATABASE_URL: url, ORCHESTRATOR_LEASE_TTL: "3s" };
  const service = await startServeForTest({ folder: createTemporaryFolder(), env });
  const client = openGrpcClient({ address: service.address });
  onTestFinished(() => client.close());
  return { service, client };
}

/** What a watch with notes has heard. */
function watch({ client }: Instance, runId: string) {
  const stop = new AbortController();
  const durable: RunEvent[] = [];
  const notes: RunEvent[] = [];
  const gaps: number[] = [];
  const heard = { durable, notes, gaps, end: null as RunState | null, error: null as unknown, isOpen: false };
  const read = async (): Promise<void> => {
    const request = { runId, includeEphemeral: true };
    for await (const { frame } of client.stream(RunService.method.watchRun, request, { signal: stop.signal })) {
      heard.isOpen = true;
      if (frame.case === "event") (frame.value.durable ? durable : notes).push(frame.value);
      if (frame.case === "gap") gaps.push(frame.value.lostCount);
      if (frame.case === "end") heard.end = frame.value.run?.state ?? null;
    }
  };
  read().catch((error: unknown) => {
    heard.error = error;
  });
  onTestFinished(() => stop.abort());
  return heard;
}

test("notes reach a watch at another instance, which goes on with every event when the owner dies", {
  timeout: 120_000,
}, async () => {
  const [owner, other] = [await open(), await open()];
  await owner.client.call(FlowService.method.registerFlow, { definition: { case: "source", value: FLOW } });
  await eventually(
    async () => {
      const { rows } = await database.reads.query<{ owners: number }>(
        "SELECT count(DISTINCT instance_id)::int AS owners FROM orchestrator.shard_leases WHERE instance_id IS NOT NULL",
      );
      expect(rows[0]?.owners).toBe(2);
    },
    { timeoutMs: 20_000 },
  );
  const runId = (await owner.client.call(RunService.method.startRun, { flowId: "held" })).run?.runId ?? "";
  const seen = watch(other, runId);
  await eventually(() => expect(seen.isOpen).toBe(true));
  const worker = await holdTasks(other.client, ["hold"]);
  const first = await worker.next();
  const note = (text: string) => worker.report(first.taskToken, "log", { text });
  // The watch may be on its way to the owner.
  await eventually(async () => {
    expect((await note("hot")).outcome).toBe(TaskReportOutcome.ACCEPTED);
    expect(seen.notes.at(-1)?.detail).toMatchObject({ case: "log", value: { message: "hot" } });
  });
  // Nobody looks into the journal for it.
  await worker.report(first.taskToken, "succeeded", done);
  const startedAt = performance.now();
  await eventually(() => expect(seen.durable.some(({ taskId }) => taskId === "b")).toBe(true), { intervalMs: 5 });
  expect(performance.now() - startedAt).toBeLessThan(500);

  const second = await worker.next();
  const gapsBefore = seen.gaps.length;
  await owner.service.stop("SIGKILL");
  await eventually(
    async () =>
      expect((await worker.report(second.taskToken, "log", { text: "cold" })).outcome).toBe(TaskReportOutcome.ACCEPTED),
    { timeoutMs: 30_000 },
  );
  await eventually(async () => {
    await worker.report(second.taskToken, "log", { text: "again" });
    expect(seen.notes.at(-1)?.detail).toMatchObject({ case: "log", value: { message: "again" } });
  });
  // What was said while the run had no owner may be lost, and the watch says so.
  expect(seen.gaps.slice(gapsBefore)).toContain(0);
  await worker.report(second.taskToken, "succeeded", done);
  await eventually(() => expect(seen).toMatchObject({ error: null, end: RunState.COMPLETED }), { timeoutMs: 20_000 });
  const sequences = seen.durable.map(({ sequence }) => sequence);
  expect(sequences).toEqual(sequences.map((_, index) => (sequences[0] ?? 0) + index));
});
