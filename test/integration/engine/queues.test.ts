/** What operators say about queues, and what the instances do. */
import { expect, test } from "vitest";
import { eventually } from "../../support/eventually.ts";
import { startOf } from "../../support/start-of.ts";
import { CALLER, createBed, type Instance, SHARDS } from "./bed.ts";
import { connectWorker, type FakeWorker } from "./fake-worker.ts";

const bed = createBed();

const NEVER = new AbortController().signal;

const work = (id: string, parameters: object = {}, more: object = {}) => ({
  id,
  type: "worker",
  parameters: { handler: "work", input: id, ...parameters },
  ...more,
});

const start = async (instance: Instance, flow: string): Promise<string> =>
  (await instance.engine.startRun(CALLER, startOf(flow), 0)).run.state.runId;

const ended = async (instance: Instance, runId: string) =>
  (await instance.engine.waitRun(CALLER, runId, 20_000, NEVER)).state;

const rows = () =>
  bed.sql<{ task_path: string; deferred: boolean }>(
    "SELECT task_path, deferred FROM orchestrator.waiting_tasks ORDER BY ready_at, task_path",
  );

test("a task that waits longer than its queue allows fails for good, also when its run left memory or another instance has it", async () => {
  await bed.register("one", [work("a", {}, { retry_policy: { max_retries: 3 } })]);
  const first = await bed.openInstance();
  const runId = await start(first, "one");
  await eventually(async () => expect(await rows()).toHaveLength(1));
  await first.stop();
  const second = await bed.openInstance();
  await second.queues.changeQueue(CALLER, "default", { type: "update", ttlMs: 1 });
  const state = await ended(second, runId);
  expect(state.phase).toBe("FAILED");
  expect(state.error).toMatchObject({ type: "QUEUE_EXPIRED", task: "a" });
  expect(state.tasks.get("a")).toMatchObject({ state: "TIMED_OUT", attempt: 1 });
  expect(await rows()).toEqual([]);
});

test("a task that expires may be handled by its flow", async () => {
  await bed.register("handled", [
    work("a", {}, { on_error: "continue" }),
    { id: "b", type: "noop", depends_on: ["a"] },
  ]);
  const instance = await bed.openInstance();
  await instance.queues.changeQueue(CALLER, "default", { type: "update", ttlMs: 1 });
  expect((await ended(instance, await start(instance, "handled"))).phase).toBe("COMPLETED");
});

const many = (id: string, count: number, parameters: object) => ({
  id,
  type: "map",
  parameters: {
    max_concurrency: count,
    items: `\${${JSON.stringify(Array.from({ length: count }, (_, index) => index))}}`,
    task: { type: "worker", parameters: { handler: "work", input: "${item}", ...parameters } },
  },
});

/** Completes what it gets at once, and keeps the inputs in their order. */
function connectDiligent(instance: Instance, options: Parameters<typeof connectWorker>[1] = {}) {
  return connectWorker(
    instance,
    { slots: 1, queues: ["default", "open"], ...options },
    (self, { token }) => void self.complete(token),
  );
}

/** A task that comes later, in a queue that is open, goes through: what was to be handed out has been. */
async function witness(instance: Instance): Promise<void> {
  await bed.register("witness", [work("w", { queue: "open" })]);
  const runId = await start(instance, "witness");
  expect((await ended(instance, runId)).phase).toBe("COMPLETED");
}

/** What a worker was handed of runs other than the witness. */
const takenBy = (worker: FakeWorker) => worker.taken.filter(({ task }) => task.flowId !== "witness");

test("a paused queue hands nothing out, to whom or wherever it was paused, and goes on when it is resumed", async () => {
  await bed.register("one", [work("a")]);
  const [first, second] = [await bed.openInstance(), await bed.openInstance()];
  await first.queues.changeQueue(CALLER, "default", { type: "pause", why: "fix" });
  const worker = connectDiligent(first);
  await eventually(() => expect(second.rules.of({ tenantId: "default", queue: "default" })?.pause?.why).toBe("fix"));
  const runId = await start(first, "one");
  await eventually(async () => expect(await rows()).toHaveLength(1));
  await witness(first);
  expect(takenBy(worker)).toEqual([]);
  await second.queues.changeQueue(CALLER, "default", { type: "resume" });
  expect((await ended(first, runId)).phase).toBe("COMPLETED");
});

test("a pause survives a restart", async () => {
  await bed.register("one", [work("a")]);
  const first = await bed.openInstance();
  await first.queues.changeQueue(CALLER, "default", { type: "pause", why: "" });
  const runId = await start(first, "one");
  await eventually(async () => expect(await rows()).toHaveLength(1));
  await first.stop();
  const second = await bed.openInstance();
  const worker = connectDiligent(second);
  await witness(second);
  expect(takenBy(worker)).toEqual([]);
  await second.queues.changeQueue(CALLER, "default", { type: "resume" });
  expect((await ended(second, runId)).phase).toBe("COMPLETED");
});

test("a drained queue hands out what waits and defers what comes, until it is resumed", async () => {
  await bed.register("one", [work("a")]);
  const instance = await bed.openInstance();
  const before = await start(instance, "one");
  await eventually(async () => expect(await rows()).toHaveLength(1));
  await instance.queues.changeQueue(CALLER, "default", { type: "drain", why: "" });
  const after = await start(instance, "one");
  await eventually(async () => expect((await rows()).map(({ deferred }) => deferred)).toEqual([false, true]));
  const worker = connectDiligent(instance);
  expect((await ended(instance, before)).phase).toBe("COMPLETED");
  await witness(instance);
  expect(takenBy(worker)).toHaveLength(1);
  const [view] = await instance.queues.viewQueues(CALLER, ["default"]);
  expect(view).toMatchObject({ waiting: 0, deferred: 1, drain: { by: "tester" } });
  await instance.queues.changeQueue(CALLER, "default", { type: "resume" });
  expect((await ended(instance, after)).tasks.get("a")).toMatchObject({ state: "COMPLETED", attempt: 1 });
});

test("a full queue defers further tasks, and everything is done in the end, each in one attempt", async () => {
  await bed.register("many", [many("m", 30, {})]);
  const instance = await bed.openInstance();
  await instance.queues.changeQueue(CALLER, "default", { type: "update", maxLength: 5 });
  const runId = await start(instance, "many");
  await eventually(async () =>
    expect(await instance.queues.viewQueues(CALLER, ["default"])).toMatchObject([{ waiting: 5, deferred: 25 }]),
  );
  connectDiligent(instance);
  const state = await ended(instance, runId);
  expect(state.phase).toBe("COMPLETED");
  expect([...state.tasks.values()].map(({ attempt }) => attempt)).not.toContain(2);
});

test("tasks go to workers that have their labels, and those that nobody can do keep no others", async () => {
  await bed.register("gpu", [work("a", { labels: { gpu: "a100", zone: "x" } })]);
  await bed.register("plain", [work("a")]);
  const instance = await bed.openInstance();
  const plain = connectDiligent(instance);
  const stuck = await start(instance, "gpu");
  expect((await ended(instance, await start(instance, "plain"))).phase).toBe("COMPLETED");
  const near = connectDiligent(instance, { labels: { gpu: "a100", zone: "y" } });
  await witness(instance);
  expect([...plain.taken, ...near.taken].map(({ task }) => task.runId)).not.toContain(stuck);
  const right = connectDiligent(instance, { labels: { zone: "x", gpu: "a100", more: "1" } });
  expect((await ended(instance, stuck)).phase).toBe("COMPLETED");
  expect(right.taken.map(({ task }) => task.runId)).toEqual([stuck]);
});

test("labels that tasks ask for are found in the rows after a takeover", async () => {
  await bed.register("gpu", [work("a", { labels: { gpu: "a100" } })]);
  const first = await bed.openInstance();
  const runId = await start(first, "gpu");
  await eventually(async () => expect(await rows()).toHaveLength(1));
  await first.crash();
  const second = await bed.openInstance();
  connectDiligent(second, { labels: { gpu: "a100" } });
  expect((await ended(second, runId)).phase).toBe("COMPLETED");
});

test("workers at another instance get the tasks whose labels they have", async () => {
  await bed.register("gpu", [work("a", { labels: { gpu: "a100" } })]);
  const first = await bed.openInstance({ ttlMs: 600 });
  const second = await bed.openInstance({ ttlMs: 600 });
  for (const { runtime } of [first, second])
    await eventually(() => expect(runtime.shards.owned).toHaveLength(SHARDS / 2));
  connectWorker(second, { slots: 1 }, (self, { token }) => void self.complete(token), [first]);
  connectWorker(second, { slots: 1, labels: { gpu: "a100" } }, (self, { token }) => void self.complete(token), [first]);
  for (const owner of [first, second, first, second])
    expect((await ended(owner, await start(owner, "gpu"))).phase).toBe("COMPLETED");
});

test("a queue that pins builds hands out to workers of these builds alone", async () => {
  await bed.register("one", [work("a")]);
  const instance = await bed.openInstance();
  const old = connectDiligent(instance, { buildId: "v1" });
  await instance.queues.changeQueue(CALLER, "default", { type: "update", buildIds: ["v2"] });
  await eventually(() => expect(instance.rules.isEmpty).toBe(false));
  const runId = await start(instance, "one");
  await witness(instance);
  expect(takenBy(old)).toEqual([]);
  const fresh = connectDiligent(instance, { buildId: "v2" });
  expect((await ended(instance, runId)).phase).toBe("COMPLETED");
  expect(fresh.taken).toHaveLength(1);
});

const KEYED = {
  big: [many("m", 1_000, { fairness_key: "big" })],
  small: [many("m", 400, { fairness_key: "small" })],
} as const;

/** Connects a worker and returns the flows of what it is handed, in order. */
function watchTurns(instance: Instance): string[] {
  const order: string[] = [];
  connectWorker(instance, { slots: 1 }, (self, { token, task }) => {
    order.push(task.flowId);
    void self.complete(token);
  });
  return order;
}

const smallOf = (order: readonly string[]): number => order.filter((flow) => flow === "small").length;

test("keys take turns: one that comes late has its share, also after a restart in the middle", async () => {
  for (const [flow, tasks] of Object.entries(KEYED)) await bed.register(flow, tasks);
  const first = await bed.openInstance();
  await start(first, "big");
  await eventually(async () => expect(await rows()).toHaveLength(1_000));
  const before = watchTurns(first);
  await eventually(() => expect(before.length).toBeGreaterThan(30));
  const late = await start(first, "small");
  // It makes up for the moment until its line is read anew; from then on, the two take turns.
  await eventually(() => expect(smallOf(before)).toBeGreaterThan(250));
  await first.stop();
  expect(smallOf(before.slice(-12))).toBeGreaterThan(3);
  expect(smallOf(before.slice(-12))).toBeLessThan(9);
  // What the worker held at that moment is lost with it, and known to be so after a session timeout.
  const second = await bed.openInstance({ sessionTimeoutMs: 1_000 });
  const after = watchTurns(second);
  expect((await ended(second, late)).phase).toBe("COMPLETED");
  expect(smallOf(after.slice(0, 12))).toBeGreaterThan(3);
  expect(smallOf(after.slice(0, 12))).toBeLessThan(9);
}, 60_000);

test("a drained worker is told, gets no more, and finishes what it holds", async () => {
  await bed.register("one", [work("a")]);
  const instance = await bed.openInstance();
  const worker = connectWorker(instance, { slots: 5 });
  const runId = await start(instance, "one");
  await eventually(() => expect(worker.taken).toHaveLength(1));
  const token = worker.taken[0]?.token ?? "";
  await worker.report(token, { type: "acknowledged" });
  const [view] = instance.workers.list(CALLER);
  expect(view?.holdings).toMatchObject([{ runId, path: "a", acknowledged: true }]);
  expect(instance.workers.drain(CALLER, view?.workerId ?? "", "old")).toMatchObject({ free: 0, drain: { why: "old" } });
  instance.workers.drain(CALLER, view?.workerId ?? "", "again");
  await eventually(() => expect(worker.drains).toMatchObject([{ by: "tester", why: "old" }]));
  await start(instance, "one");
  await worker.complete(token);
  expect((await ended(instance, runId)).phase).toBe("COMPLETED");
  connectDiligent(instance, { queues: ["open"] });
  await witness(instance);
  expect(worker.taken).toHaveLength(1);
});

test("a worker that says goodbye gives back what it has not begun, at no attempt, and loses what it has", async () => {
  await bed.register("two", [work("a"), work("b")]);
  const instance = await bed.openInstance();
  const worker = connectWorker(instance, { slots: 2 });
  const runId = await start(instance, "two");
  await eventually(() => expect(worker.taken).toHaveLength(2));
  await worker.report(worker.taken[0]?.token ?? "", { type: "acknowledged" });
  expect(instance.workers.goodbye(CALLER, worker.sessionId)).toBe(true);
  expect(instance.workers.list(CALLER)).toEqual([]);
  connectDiligent(instance);
  expect((await ended(instance, runId)).phase).toBe("COMPLETED");
  const reasons = (await bed.recordsOf(runId)).flatMap((record) =>
    record.type === "task.returned" ? [`${record.task} ${record.reason}`] : [],
  );
  const [began = "", not = ""] = worker.taken.map(({ task }) => task.path);
  expect(reasons.sort()).toEqual([`${began} WORKER_LOST`, `${not} HANDED_BACK`].sort());
});

test("a handler that a worker does not know after all is handed back at no attempt, and another worker does it", async () => {
  await bed.register("one", [work("a")]);
  const instance = await bed.openInstance();
  const wrong = connectWorker(
    instance,
    { slots: 1 },
    (self, { token }) => void self.report(token, { type: "handed_back", reason: "no such handler" }),
  );
  const runId = await start(instance, "one");
  await eventually(() => expect(wrong.taken.length).toBeGreaterThan(0));
  connectDiligent(instance);
  expect((await ended(instance, runId)).tasks.get("a")).toMatchObject({ state: "COMPLETED", attempt: 1, losses: 0 });
});
