/** Queues and workers as operators see them: two instances in processes of their own, over gRPC, REST, and commands. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { openGrpcClient } from "../../src/api/client/grpc-client.ts";
import { FlowService } from "../../src/gen/orchestrator/v1/flow_service_pb.ts";
import { QueueService } from "../../src/gen/orchestrator/v1/queue_service_pb.ts";
import { RunFindingKind } from "../../src/gen/orchestrator/v1/run_diagnosis_pb.ts";
import { RunService } from "../../src/gen/orchestrator/v1/run_service_pb.ts";
import { WorkerService } from "../../src/gen/orchestrator/v1/worker_service_pb.ts";
import { eventually } from "../support/eventually.ts";
import { createTestDatabase } from "../support/postgres.ts";
import { runCommand } from "../support/run-command.ts";
import { type ServeProcess, startServe } from "../support/serve-process.ts";
import { createFileFolder } from "../support/temporary-folder.ts";
import { startWorker } from "../support/worker.ts";

const { url } = await createTestDatabase();
const folder = createFileFolder();
let first: ServeProcess;
let second: ServeProcess;
let clients: ReturnType<typeof openGrpcClient>[];

const FLOW = `id: one
version: "1"
variables: [{name: queue, type: string, required: true}]
workflow:
  tasks: [{id: go, type: worker, parameters: {queue: "\${queue}", handler: work, priority: 3}}]
`;

beforeAll(async () => {
  const env = { DATABASE_URL: url };
  [first, second] = await Promise.all([startServe({ folder, env }), startServe({ folder, env })]);
  clients = [first, second].map(({ address }) =>
    openGrpcClient({ address, headers: { "x-orchestrator-actor": "ann" } }),
  );
  await clients[0]?.call(FlowService.method.registerFlow, { definition: { case: "source", value: FLOW } });
}, 90_000);
afterAll(async () => {
  await Promise.all(clients.map((client) => client.close()));
  await Promise.all([first?.stop(), second?.stop()]);
});

const client = (at: 0 | 1) => clients[at] ?? expect.unreachable("it is open");

const start = async (queue: string, count: number): Promise<void> => {
  for (let n = 0; n < count; n += 1)
    await client(0).call(RunService.method.startRun, {
      flowId: "one",
      inputValue: { case: "input", value: { queue } },
    });
};

const rest = async (at: ServeProcess, path: string, method = "GET", body?: object) => {
  const answer = await fetch(`http://${at.address}${path}`, {
    method,
    headers: { "content-type": "application/json" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: answer.status, json: (await answer.json()) as Record<string, unknown> };
};

test("a queue shows at every instance what waits in it, and the workers of all instances", async () => {
  await start("images/large", 3);
  for (const at of [0, 1] as const)
    await eventually(async () => {
      const { queue } = await client(at).call(QueueService.method.getQueue, { queue: "images/large" });
      expect(queue).toMatchObject({ depth: 3, highestPriority: 3, workerCount: 0, silentInstanceCount: 0 });
      expect(queue?.handlers).toMatchObject([{ handler: "work", depth: 3 }]);
    });
  const worker = startWorker(client(1), { idle: async () => null }, { slots: 4, name: "idler" });
  try {
    for (const at of [0, 1] as const)
      await eventually(async () => {
        const { queues } = await client(at).call(QueueService.method.listQueues, {});
        expect(queues.map(({ queue }) => queue)).toEqual(["default", "images/large"]);
        expect(queues[0]).toMatchObject({ depth: 0, workerCount: 1, slotCount: 4, freeSlotCount: 4 });
      });
    const pages: string[] = [];
    for (let pageToken = ""; ; ) {
      const page = await client(0).call(QueueService.method.listQueues, { pageSize: 1, pageToken });
      pages.push(...page.queues.map(({ queue }) => queue));
      pageToken = page.nextPageToken;
      if (pageToken === "") break;
    }
    expect(pages).toEqual(["default", "images/large"]);
    const encoded = await rest(second, "/v1/queues/images%2Flarge");
    expect(encoded).toMatchObject({ status: 200, json: { queue: { queue: "images/large", depth: 3 } } });
  } finally {
    await worker.kill();
  }
}, 60_000);

test("a diagnosis says what a scheduled task waits for, and which call would move it", async () => {
  const { run } = await client(0).call(RunService.method.startRun, {
    flowId: "one",
    inputValue: { case: "input", value: { queue: "sick" } },
  });
  const runId = run?.runId ?? "";
  const found = async (at: 0 | 1 = 1) =>
    (await client(at).call(RunService.method.diagnoseRun, { runId })).findings.map(
      ({ taskId, kind, message, method }) => ({
        taskId,
        kind,
        message,
        method,
      }),
    );
  await eventually(async () =>
    expect(await found()).toEqual([
      {
        taskId: "go",
        kind: RunFindingKind.NO_WORKER,
        message: "no worker serves queue sick with handler work",
        method: "",
      },
    ]),
  );
  await client(0).call(QueueService.method.pauseQueue, { queue: "sick", reason: "fix" });
  expect(await found()).toMatchObject([
    {
      kind: RunFindingKind.QUEUE_PAUSED,
      message: "queue sick is paused by ann: fix",
      method: "QueueService.ResumeQueue",
    },
  ]);
  await client(0).call(QueueService.method.resumeQueue, { queue: "sick" });
  await client(0).call(RunService.method.pauseRun, { runId, reason: "wait" });
  expect((await found())[0]).toMatchObject({ taskId: "", kind: RunFindingKind.HELD, method: "RunService.ResumeRun" });
  const shown = await runCommand(["runs", "diagnose", runId], folder, { ORCHESTRATOR_SERVER: second.address });
  expect(shown.out).toMatch(/go +NO_WORKER .* no worker serves queue sick with handler work/);
  await client(0).call(RunService.method.terminateRun, { runId });
  expect(await found(0)).toEqual([]);
}, 60_000);

test("metrics have the tasks of the whole database once, and the workers of each instance", async () => {
  await start("metered", 2);
  const worker = startWorker(client(0), { other: async () => null }, { slots: 3, name: "metered" });
  try {
    await eventually(async () => {
      const texts = await Promise.all(
        [first, second].map(async ({ metricsPort }) => (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text()),
      );
      const lines = texts.flatMap((text) => text.split("\n"));
      expect(
        lines.filter((line) => line === 'orchestrator_queue_tasks{queue="metered",state="WAITING"} 2'),
      ).toHaveLength(1);
      const slots = lines.filter((line) => line.startsWith('orchestrator_queue_slots{queue="default",state="ALL"}'));
      expect(slots.map((line) => Number(line.split(" ")[1])).reduce((sum, value) => sum + value, 0)).toBeGreaterThan(2);
    });
  } finally {
    await worker.kill();
  }
}, 60_000);

test("a stop is kept with its author, and a queue that nobody knows is an error that says so", async () => {
  const { queue } = await client(1).call(QueueService.method.pauseQueue, { queue: "later", reason: "deploy" });
  expect(queue?.pause).toMatchObject({ actor: "ann", reason: "deploy" });
  await client(0).call(QueueService.method.drainQueue, { queue: "later" });
  const limits = {
    queue: "later",
    maxLength: 5,
    ttl: { seconds: 60n, nanos: 0 },
    buildPin: { buildIds: ["b2", "b1"] },
  };
  await client(0).call(QueueService.method.updateQueue, limits);
  const shown = (await client(0).call(QueueService.method.getQueue, { queue: "later" })).queue;
  expect(shown).toMatchObject({
    pause: { actor: "ann" },
    drain: { actor: "ann" },
    maxLength: 5,
    buildIds: ["b1", "b2"],
  });
  await client(0).call(QueueService.method.resumeQueue, { queue: "later" });
  await client(0).call(QueueService.method.updateQueue, { queue: "later", maxLength: 0, ttl: {}, buildPin: {} });
  await expect(client(1).call(QueueService.method.getQueue, { queue: "later" })).rejects.toMatchObject({
    code: "QUEUE_NOT_FOUND",
  });
  for (const name of ["", " ", "a b", "-x", "a\u0000", "é", "x".repeat(64), "../etc"])
    await expect(client(1).call(QueueService.method.pauseQueue, { queue: name })).rejects.toMatchObject({
      code: "INVALID_REQUEST",
    });
  await expect(
    client(1).call(QueueService.method.updateQueue, { queue: "later", maxLength: -1 }),
  ).rejects.toMatchObject({ code: "INVALID_REQUEST" });
}, 60_000);

test("workers are listed and drained at an instance that they are not connected to", async () => {
  const handlers = { work: async () => null };
  const worker = startWorker(client(0), handlers, { slots: 2, name: "b-worker" });
  const other = startWorker(client(1), { idle: async () => null }, { slots: 1, name: "a-worker" });
  try {
    const list = async (pageToken = "", pageSize = 0) =>
      client(1).call(WorkerService.method.listWorkers, { pageToken, pageSize });
    await eventually(async () =>
      expect((await list()).workers.slice(0, 2).map(({ name }) => name)).toEqual(["a-worker", "b-worker"]),
    );
    const page = await list("", 1);
    expect(page.workers).toHaveLength(1);
    expect((await list(page.nextPageToken, 1)).workers).toMatchObject([{ name: "b-worker", slotCount: 2 }]);
    const { workerId } = (await list()).workers[1] ?? expect.unreachable("two are listed");
    const drained = await client(1).call(WorkerService.method.drainWorker, { workerId, reason: "old machine" });
    expect(drained.worker).toMatchObject({ freeSlotCount: 0, drain: { actor: "ann", reason: "old machine" } });
    await expect(client(1).call(WorkerService.method.drainWorker, { workerId: "nobody" })).rejects.toMatchObject({
      code: "WORKER_NOT_FOUND",
    });
  } finally {
    await Promise.all([worker.kill(), other.kill()]);
  }
}, 60_000);

test("the commands show, stop, and limit a queue", async () => {
  const command = (...args: string[]) => runCommand(args, folder, { ORCHESTRATOR_SERVER: first.address });
  const paused = await command("queues", "pause", "slow", "--reason", "fix", "--by", "bob");
  expect(paused.code, paused.err).toBe(0);
  expect(paused.out).toMatch(/slow +PAUSED +0/);
  expect(paused.out).toMatch(/paused since .* by bob: fix/);
  const limited = await command("queues", "limit", "slow", "--max-length", "10", "--ttl", "30m", "--build", "v2");
  expect(limited.out).toMatch(/at most 10 tasks wait\na task waits at most 30m\nonly builds v2 get tasks\n/);
  const listed = await command("queues", "list", "-o", "json");
  expect(JSON.parse(listed.out).queues.map(({ queue }: { queue: string }) => queue)).toContain("slow");
  expect((await command("queues", "get", "nowhere")).err).toContain("queue nowhere is not known");
  expect((await command("queues", "limit", "slow", "--ttl", "soon")).code).toBe(2);
  const resumed = await command("queues", "resume", "slow");
  expect(resumed.out).toMatch(/slow +OPEN/);
  expect((await command("workers", "list")).code).toBe(0);
}, 60_000);
