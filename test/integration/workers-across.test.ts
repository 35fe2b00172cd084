/**
 * Workers and runs at different instances, as processes on one database: calls that a proxy spreads, instances that are
 * killed or stand still.
 */
import { expect, onTestFinished, test } from "vitest";
import type { ApiClient } from "../../src/api/client/client.ts";
import { openGrpcClient } from "../../src/api/client/grpc-client.ts";
import { FlowService } from "../../src/gen/orchestrator/v1/flow_service_pb.ts";
import { RunEventKind } from "../../src/gen/orchestrator/v1/run_event_pb.ts";
import { RunState } from "../../src/gen/orchestrator/v1/run_pb.ts";
import { RunService } from "../../src/gen/orchestrator/v1/run_service_pb.ts";
import { TaskReportOutcome } from "../../src/gen/orchestrator/v1/worker_pb.ts";
import { WorkerService } from "../../src/gen/orchestrator/v1/worker_service_pb.ts";
import { eventually } from "../support/eventually.ts";
import { holdTasks } from "../support/held-tasks.ts";
import { createTestDatabase } from "../support/postgres.ts";
import { type ServeProcess, startServeForTest } from "../support/serve-process.ts";
import { createSpreadClient } from "../support/spread-client.ts";
import { createTemporaryFolder } from "../support/temporary-folder.ts";
import { type Handler, startWorker } from "../support/worker.ts";

const FLOW = `
id: three
version: "1"
workflow:
  tasks:
    - {id: a, type: worker, parameters: {handler: work, input: 1}}
    - {id: b, type: worker, depends_on: [a], parameters: {handler: work, input: "\${a.output}"}}
    - {id: c, type: worker, depends_on: [b], parameters: {handler: work, input: "\${b.output}"}}
  output: {c: "\${c.output}"}
`;

const ONE = `
id: one
version: "1"
workflow:
  tasks:
    - {id: a, type: worker, parameters: {handler: work, input: 1}}
`;

const { url, database } = await createTestDatabase();

interface Instance {
  readonly service: ServeProcess;
  readonly client: ApiClient;
  /** Starts a run of its own. */
  start(flowId: string): Promise<string>;
}

async function open(): Promise<Instance> {
  const service = await startServeForTest({
    folder: createTemporaryFolder(),
    env: {
      DATABASE_URL: url,
      ORCHESTRATOR_LOG_FORMAT: "json",
      ORCHESTRATOR_LEASE_TTL: "3s",
      ORCHESTRATOR_WORKERS_SESSION_TIMEOUT: "20s",
    },
  });
  const client = openGrpcClient({ address: service.address });
  onTestFinished(() => client.close());
  return {
    service,
    client,
    start: async (flowId) => (await client.call(RunService.method.startRun, { flowId })).run?.runId ?? "",
  };
}

/** Instances that share the shards evenly. */
async function openInstances(count: number): Promise<readonly Instance[]> {
  const instances: Instance[] = [];
  for (let opened = 0; opened < count; opened += 1) instances.push(await open());
  const [first] = instances;
  for (const value of [FLOW, ONE])
    await first?.client.call(FlowService.method.registerFlow, { definition: { case: "source", value } });
  await eventually(
    async () => {
      const { rows } = await database.reads.query<{ owners: number }>(
        "SELECT count(DISTINCT instance_id)::int AS owners FROM orchestrator.shard_leases WHERE instance_id IS NOT NULL",
      );
      expect(rows[0]?.owners).toBe(count);
    },
    { timeoutMs: 20_000 },
  );
  return instances;
}

/** Doubles, and counts how often each task was begun. */
function counting(begun: Map<string, number>): Handler {
  return async ({ task, acknowledge }) => {
    if ((await acknowledge()) !== TaskReportOutcome.ACCEPTED) return null;
    begun.set(task.idempotencyKey, (begun.get(task.idempotencyKey) ?? 0) + 1);
    return 2 * (JSON.parse(new TextDecoder().decode(task.inputJson)) as number);
  };
}

async function completes(client: ApiClient, runId: string): Promise<void> {
  await eventually(
    async () => {
      const { run } = await client.call(RunService.method.getRun, { runId, readMask: { paths: ["state", "error"] } });
      expect(run, JSON.stringify(run?.error ?? {})).toMatchObject({ state: RunState.COMPLETED });
    },
    { timeoutMs: 60_000, intervalMs: 100 },
  );
}

const dispatchesOf = async (client: ApiClient, runId: string): Promise<number> => {
  const { events } = await client.call(RunService.method.listRunEvents, { runId, pageSize: 1_000 });
  return events.filter(({ kind }) => kind === RunEventKind.TASK_DISPATCHED).length;
};

/** Free slots of the only worker. */
const freeSlots = async (client: ApiClient): Promise<number | undefined> =>
  (await client.call(WorkerService.method.listWorkers, {})).workers[0]?.freeSlotCount;

test("a worker whose calls are spread over three instances does the tasks of all of them, each once", async () => {
  const instances = await openInstances(3);
  const spread = createSpreadClient(() => instances.map(({ client }) => client));
  const begun = new Map<string, number>();
  const worker = startWorker(spread, { work: counting(begun) }, { slots: 6 });
  onTestFinished(() => worker.kill());
  const runs = await Promise.all(Array.from({ length: 30 }, (_, index) => instances[index % 3]?.start("three") ?? ""));
  for (const runId of runs) await completes(spread, runId);
  expect(begun.size).toBe(90);
  expect([...begun.values()].every((times) => times === 1)).toBe(true);
  // Every slot has come home.
  await eventually(async () => expect(await freeSlots(spread)).toBe(6));
}, 120_000);

test("a worker that loses its instance registers elsewhere, and keeps what it does for another instance", async () => {
  const [home, owner] = (await openInstances(2)) as [Instance, Instance];
  let clients = [home.client];
  const spread = createSpreadClient(() => clients);
  const gate = Promise.withResolvers<void>();
  const begun = new Map<string, number>();
  const handler = counting(begun);
  const worker = startWorker(spread, {
    work: async (handled) => {
      const output = await handler(handled);
      await gate.promise;
      return output;
    },
  });
  onTestFinished(() => worker.kill());
  const runId = await owner.start("one");
  await eventually(() => expect(begun.size).toBe(1));
  await home.service.stop("SIGKILL");
  clients = [owner.client];
  await eventually(async () => expect(await freeSlots(owner.client)).toBe(7), { timeoutMs: 20_000 });
  gate.resolve();
  await completes(owner.client, runId);
  expect(await dispatchesOf(owner.client, runId)).toBe(1);
  expect([...begun.values()]).toEqual([1]);
}, 120_000);

test("the same token counts at the next owner when the owner of a run is killed", async () => {
  const [home, owner] = (await openInstances(2)) as [Instance, Instance];
  const tasks = await holdTasks(home.client, ["work"], 1);
  onTestFinished(() => tasks.close());
  const runId = await owner.start("one");
  const { taskToken } = await tasks.next();
  expect((await tasks.report(taskToken, "acknowledged")).outcome).toBe(TaskReportOutcome.ACCEPTED);
  await owner.service.stop("SIGKILL");
  const alive = setInterval(() => void tasks.report(taskToken, "alive").catch(() => {}), 1_000);
  onTestFinished(() => clearInterval(alive));
  await eventually(
    async () => {
      const output = { outputValue: { case: "outputJson", value: new TextEncoder().encode("7") } };
      expect((await tasks.report(taskToken, "succeeded", output)).outcome).toBe(TaskReportOutcome.ACCEPTED);
    },
    { timeoutMs: 30_000 },
  );
  await completes(home.client, runId);
  expect(await dispatchesOf(home.client, runId)).toBe(1);
  await eventually(async () => expect(await freeSlots(home.client)).toBe(1));
}, 120_000);

test("an owner that stands still fails its reports and no others, and takes them when it goes on", async () => {
  const [home, owner] = (await openInstances(2)) as [Instance, Instance];
  const tasks = await holdTasks(home.client, ["work"], 2);
  onTestFinished(() => tasks.close());
  const own = await home.start("one");
  const theirs = await owner.start("one");
  const taken = [await tasks.next(), await tasks.next()];
  const tokenOf = (runId: string): string => taken.find((task) => task.runId === runId)?.taskToken ?? "";
  for (const { taskToken } of taken) await tasks.report(taskToken, "acknowledged");
  owner.service.child.kill("SIGSTOP");
  const value = { outputValue: { case: "outputJson" as const, value: new TextEncoder().encode("1") } };
  const reports = [own, theirs].map((runId) => ({
    taskToken: tokenOf(runId),
    event: { case: "succeeded" as const, value },
  }));
  const { sessionId } = tasks;
  const answer = await home.client.call(WorkerService.method.reportTasks, { sessionId, reports }, { timeoutMs: 2_000 });
  owner.service.child.kill("SIGCONT");
  expect(answer.results.map(({ outcome }) => outcome)).toEqual([
    TaskReportOutcome.ACCEPTED,
    TaskReportOutcome.UNAVAILABLE,
  ]);
  await completes(home.client, own);
  await tasks.report(tokenOf(theirs), "succeeded", value);
  await completes(home.client, theirs);
}, 120_000);

test("an instance that stands still and goes on loses no slot, and nothing that its worker has", async () => {
  const [home, owner] = (await openInstances(2)) as [Instance, Instance];
  const begun = new Map<string, number>();
  const worker = startWorker(home.client, { work: counting(begun) }, { slots: 4 });
  onTestFinished(() => worker.kill());
  const runs: string[] = [];
  const startSome = async (): Promise<void> => {
    for (let count = 0; count < 12; count += 1) runs.push(await owner.start("three"));
  };
  await startSome();
  home.service.child.kill("SIGSTOP");
  await startSome();
  // By now the other instance has given up on it.
  await eventually(
    () => expect(owner.service.output()).toContain("another instance and its workers are out of reach"),
    { timeoutMs: 20_000 },
  );
  home.service.child.kill("SIGCONT");
  await startSome();
  for (const runId of runs) await completes(owner.client, runId);
  await eventually(async () => expect(await freeSlots(owner.client)).toBe(4), { timeoutMs: 20_000 });
}, 120_000);

test("no slot is lost when the instances around a worker are killed and stopped, and every run completes", async () => {
  const [home, second, third] = (await openInstances(3)) as [Instance, Instance, Instance];
  let others = [second, third];
  const begun = new Map<string, number>();
  const handler = counting(begun);
  const worker = startWorker(
    home.client,
    {
      work: handler,
    },
    { slots: 4 },
  );
  onTestFinished(() => worker.kill());
  const runs: string[] = [];
  for (let round = 0; round < 3; round += 1) {
    for (let count = 0; count < 24; count += 1) {
      const instance = [home, ...others][count % (1 + others.length)];
      const runId = await instance?.start("three").catch(() => undefined);
      if (runId !== undefined) runs.push(runId);
    }
    const [victim, ...rest] = others;
    await victim?.service.stop(round === 1 ? "SIGTERM" : "SIGKILL");
    others = [...rest, await open()];
  }
  for (const runId of runs) await completes(home.client, runId);
  expect(runs.length).toBeGreaterThan(60);
  await eventually(async () => expect(await freeSlots(home.client)).toBe(4), { timeoutMs: 20_000 });
}, 240_000);
