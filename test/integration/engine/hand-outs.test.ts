/** Tasks that workers do: handed out, acknowledged, reported, lost, and taken over. */
import { expect, test } from "vitest";
import { eventually } from "../../support/eventually.ts";
import { startOf } from "../../support/start-of.ts";
import { CALLER, createBed, type Instance } from "./bed.ts";
import { connectWorker, type FakeWorker, type Taken } from "./fake-worker.ts";

const bed = createBed();

const NEVER = new AbortController().signal;

const work = (id: string, more: object = {}) => ({
  id,
  type: "worker",
  parameters: { handler: "work", input: { n: `${id}` } },
  ...more,
});

/** Acknowledges and completes at once. */
const diligent = (worker: FakeWorker, { token, task }: Taken): void => {
  void worker.report(token, { type: "acknowledged" }).then(() => worker.complete(token, { done: task.path }));
};

const start = async (instance: Instance, flow: string): Promise<string> =>
  (await instance.engine.startRun(CALLER, startOf(flow), 0)).run.state.runId;

const ended = async (instance: Instance, runId: string) =>
  (await instance.engine.waitRun(CALLER, runId, 10_000, NEVER)).state;

const typesOf = async (runId: string): Promise<string[]> =>
  (await bed.recordsOf(runId)).filter(({ type }) => type.startsWith("task.")).map(({ type }) => type);

const rows = () =>
  bed.sql<{ task_path: string; held: boolean }>("SELECT task_path, held FROM orchestrator.waiting_tasks");

test("a flow of worker tasks runs through, and no row is written while a slot is free", async () => {
  await bed.register("three", [work("a"), work("b", { depends_on: ["a"] }), work("c", { depends_on: ["b"] })]);
  const instance = await bed.openInstance();
  const worker = connectWorker(instance, {}, diligent);
  const runId = await start(instance, "three");
  const state = await ended(instance, runId);
  expect(state).toMatchObject({ phase: "COMPLETED", output: { c: { done: "c" } } });
  expect(worker.taken.map(({ task }) => task.path)).toEqual(["a", "b", "c"]);
  expect(worker.taken.map(({ task }) => task.attempt)).toEqual([1, 1, 1]);
  const fences = worker.taken.map(({ task }) => task.fence);
  expect(fences).toEqual([...fences].sort((a, b) => a - b));
  expect(await typesOf(runId)).toEqual(
    ["a", "b", "c"].flatMap(() => ["task.scheduled", "task.dispatched", "task.started", "task.completed"]),
  );
  expect(await rows()).toEqual([]);
});

test("a task waits in its queue until a worker comes, and its row goes when it is handed out", async () => {
  await bed.register("one", [work("a")]);
  const instance = await bed.openInstance();
  const runId = await start(instance, "one");
  await eventually(async () => expect(await rows()).toEqual([{ task_path: "a", held: false }]));
  expect((await instance.engine.getRun(CALLER, runId)).state.tasks.get("a")?.state).toBe("SCHEDULED");
  // Nothing keeps it in memory.
  expect(instance.runs.residence.evictIdle(-60_000)).toBe(1);
  connectWorker(instance, {}, diligent);
  expect((await ended(instance, runId)).phase).toBe("COMPLETED");
  expect(await rows()).toEqual([]);
});

test("a report counts once: the same again is accepted, another one learns what stands", async () => {
  await bed.register("one", [work("a")]);
  const instance = await bed.openInstance();
  const worker = connectWorker(instance);
  const runId = await start(instance, "one");
  const { token } = await eventually(async () => {
    expect(worker.taken).toHaveLength(1);
    return worker.taken[0] as Taken;
  });
  const both = await Promise.all([worker.complete(token, 1), worker.complete(token, 1), worker.complete(token, 2)]);
  expect(both.map(({ standing }) => standing)).toEqual(["accepted", "accepted", "already_reported"]);
  expect((await worker.complete(token, 1)).standing).toBe("accepted");
  const stands = { state: "COMPLETED", outputType: "number", error: null };
  expect(await worker.complete(token, 2)).toMatchObject({ standing: "already_reported", stands });
  expect((await worker.complete("forged")).standing).toBe("unknown");
  expect((await ended(instance, runId)).output).toEqual({ a: 1 });
});

test("an error of the handler is retried as the policy says, with a new fence and the same key", async () => {
  await bed.register("one", [
    work("a", { retry_policy: { max_retries: 1, backoff_type: "fixed", initial_delay: "10ms" } }),
  ]);
  const instance = await bed.openInstance();
  const worker = connectWorker(instance, {}, (self, { token, task }) => {
    const error = { type: "BUSY", message: "later", retryable: true };
    void self.report(token, {
      type: "ended",
      outcome: task.attempt === 1 ? { ok: false, error } : { ok: true, output: 7 },
    });
  });
  const runId = await start(instance, "one");
  expect((await ended(instance, runId)).output).toEqual({ a: 7 });
  const [first, second] = worker.taken.map(({ task }) => task);
  expect([first?.attempt, second?.attempt]).toEqual([1, 2]);
  expect(first?.idempotencyKey).toBe(second?.idempotencyKey);
  expect(second?.fence).toBeGreaterThan(first?.fence ?? Number.NaN);
});

test("what was not acknowledged when the stream broke is handed to another worker, with the same attempt", async () => {
  await bed.register("one", [work("a")]);
  const instance = await bed.openInstance();
  const lost = connectWorker(instance);
  const runId = await start(instance, "one");
  await eventually(async () => expect(lost.taken).toHaveLength(1));
  lost.disconnect();
  const other = connectWorker(instance, {}, diligent);
  expect((await ended(instance, runId)).phase).toBe("COMPLETED");
  expect(other.taken.map(({ task }) => task.attempt)).toEqual([1]);
  expect((await lost.complete(lost.taken[0]?.token ?? "")).standing).toBe("outdated");
});

test("a takeover hands nothing out again: the worker reports to the next owner with the token it has", async () => {
  await bed.register("two", [work("a"), work("b", { depends_on: ["a"] })]);
  const first = await bed.openInstance();
  const worker = connectWorker(first);
  const runId = await start(first, "two");
  await eventually(async () => expect(worker.taken).toHaveLength(1));
  const { token } = worker.taken[0] as Taken;
  await worker.report(token, { type: "acknowledged" });
  await first.crash();
  const second = await bed.openInstance();
  await second.runtime.adopted;
  const same = connectWorker(second, {}, diligent);
  expect((await same.report(token, { type: "alive" })).standing).toBe("accepted");
  expect((await same.complete(token, "late")).standing).toBe("accepted");
  const state = await ended(second, runId);
  expect(state.phase).toBe("COMPLETED");
  expect(state.tasks.get("a")?.output).toBe("late");
  expect(same.taken.map(({ task }) => task.path)).toEqual(["b"]);
  const types = (await bed.recordsOf(runId)).map(({ type }) => type);
  expect(types.filter((type) => type === "task.dispatched")).toHaveLength(2);
  expect(types).not.toContain("run.recovered");
});

test("a worker that died with its instance is lost after the session timeout, and another one gets the task", async () => {
  await bed.register("one", [work("a")]);
  const first = await bed.openInstance();
  const worker = connectWorker(first);
  const runId = await start(first, "one");
  await eventually(async () => expect(worker.taken).toHaveLength(1));
  await worker.report(worker.taken[0]?.token ?? "", { type: "acknowledged" });
  await first.crash();
  const second = await bed.openInstance({ sessionTimeoutMs: 1_000 });
  const other = connectWorker(second, {}, diligent);
  expect((await ended(second, runId)).phase).toBe("COMPLETED");
  expect(other.taken.map(({ task }) => task.attempt)).toEqual([1]);
});

test("a cancel reaches the worker, and its word that it stopped ends the run", async () => {
  await bed.register("one", [work("a")]);
  const instance = await bed.openInstance();
  const worker = connectWorker(instance);
  const runId = await start(instance, "one");
  await eventually(async () => expect(worker.taken).toHaveLength(1));
  const { token } = worker.taken[0] as Taken;
  await worker.report(token, { type: "acknowledged" });
  await instance.engine.cancelRun(CALLER, runId, "enough", false);
  await eventually(async () => expect(worker.canceled).toEqual([token]));
  expect((await worker.report(token, { type: "alive" })).standing).toBe("cancel_requested");
  expect((await worker.report(token, { type: "stopped" })).standing).toBe("accepted");
  expect((await ended(instance, runId)).phase).toBe("CANCELED");
});

test("a pause withdraws what nobody has acknowledged, and a resume hands it out", async () => {
  await bed.register("one", [work("a")]);
  const instance = await bed.openInstance();
  const worker = connectWorker(instance);
  const runId = await start(instance, "one");
  await eventually(async () => expect(worker.taken).toHaveLength(1));
  await instance.engine.pauseRun(CALLER, runId, "wait");
  await eventually(async () => expect(await rows()).toEqual([{ task_path: "a", held: true }]));
  await worker.report(worker.taken[0]?.token ?? "", { type: "acknowledged" });
  await instance.engine.resumeRun(CALLER, runId, [], "go");
  await eventually(async () => expect(worker.taken).toHaveLength(2));
  await worker.complete(worker.taken[1]?.token ?? "", 1);
  expect((await ended(instance, runId)).phase).toBe("COMPLETED");
  expect(await rows()).toEqual([]);
});

test("a worker that makes calls and acknowledges nothing gets one task at a time, and what nobody else is free for", async () => {
  await bed.register("one", [work("a")]);
  const instance = await bed.openInstance();
  const deaf = connectWorker(instance);
  const runs = [await start(instance, "one"), await start(instance, "one"), await start(instance, "one")];
  await eventually(() => expect(deaf.taken).toHaveLength(3));
  for (const runId of runs) await instance.engine.pauseRun(CALLER, runId, "wait");
  await eventually(() => expect(deaf.canceled).toHaveLength(3));
  for (const runId of runs) await instance.engine.resumeRun(CALLER, runId, [], "go");
  expect(instance.workers.touch(CALLER, deaf.sessionId)).toBe(true);
  await eventually(() => expect(deaf.taken).toHaveLength(4));
  expect(instance.workers.list(CALLER)).toMatchObject([{ free: 0 }]);
  // Two wait; what another worker leaves is for the one that does not answer.
  const other = connectWorker(instance, { slots: 1 });
  await eventually(() => expect(other.taken).toHaveLength(1));
  const { token } = deaf.taken[3] as Taken;
  await deaf.report(token, { type: "acknowledged" });
  await eventually(() => expect(deaf.taken).toHaveLength(5));
  expect(instance.workers.list(CALLER).map(({ free }) => free)).toEqual([8, 0]);
});

test("the priority of tasks decides who is handed out first, and slots are respected", async () => {
  const items = [1, 3, 2, 3, 1];
  await bed.register("many", [
    {
      id: "m",
      type: "map",
      parameters: {
        items,
        task: { type: "worker", parameters: { handler: "work", priority: "${item}", input: "${item}" } },
      },
    },
  ]);
  const instance = await bed.openInstance();
  const runId = await start(instance, "many");
  await eventually(async () => expect(await rows()).toHaveLength(items.length));
  let busy = 0;
  let most = 0;
  const worker = connectWorker(instance, { slots: 1 }, (self, { token }) => {
    busy += 1;
    most = Math.max(most, busy);
    setTimeout(() => {
      busy -= 1;
      void self.complete(token);
    }, 20);
  });
  expect((await ended(instance, runId)).phase).toBe("COMPLETED");
  expect(most).toBe(1);
  expect(worker.taken.map(({ task }) => JSON.parse(new TextDecoder().decode(task.inputJson)))).toEqual([3, 3, 2, 1, 1]);
});

// Cause: a task stayed with the session that got it first, and was lost with it while another one reported it alive.
test("a worker that registers again and says that a task is alive keeps it when its first session ends", async () => {
  await bed.register("one", [work("a")]);
  const instance = await bed.openInstance({ sessionTimeoutMs: 1_000 });
  const first = connectWorker(instance, { slots: 1 });
  const runId = await start(instance, "one");
  await eventually(async () => expect(first.taken).toHaveLength(1));
  const { token } = first.taken[0] as Taken;
  await first.report(token, { type: "acknowledged" });
  first.disconnect();
  const again = connectWorker(instance, { slots: 1 });
  const startedAt = performance.now();
  await eventually(
    async () => {
      expect((await again.report(token, { type: "alive" })).standing).toBe("accepted");
      // Both the session and what a look finds a second later are over.
      expect(performance.now() - startedAt).toBeGreaterThan(3_000);
    },
    { intervalMs: 100 },
  );
  expect((await again.complete(token, 1)).standing).toBe("accepted");
  expect((await ended(instance, runId)).output).toEqual({ a: 1 });
  expect((await typesOf(runId)).filter((type) => type === "task.dispatched")).toHaveLength(1);
});

test("an instance takes no more sessions than it can keep", async () => {
  const instance = await bed.openInstance();
  const worker = { name: "w", sdk: "", queues: ["default"], handlers: ["work"], slots: 1, labels: {}, buildId: "" };
  for (let count = 0; count < 10_000; count += 1) instance.workers.register(CALLER, worker);
  expect(() => instance.workers.register(CALLER, worker)).toThrow(expect.objectContaining({ code: "OVERLOADED" }));
});

test("an instance serves no more pairs of queue and handler than it can look through", async () => {
  const instance = await bed.openInstance();
  const names = (prefix: string, count: number) => Array.from({ length: count }, (_, index) => `${prefix}${index}`);
  const worker = { name: "w", sdk: "", handlers: names("h", 100), slots: 1, labels: {}, buildId: "" };
  const register = (round: number) => instance.workers.register(CALLER, { ...worker, queues: names(`q${round}-`, 10) });
  for (let round = 0; round < 10; round += 1) register(round);
  // The same once more are no more.
  register(0);
  expect(() => register(10)).toThrow(expect.objectContaining({ code: "OVERLOADED" }));
});

// Cause: with a statement for each queue and handler, twenty workers with a thousand of them kept the database busy for
// so long that instances lost their leases.
test("a worker of many queues and handlers asks the database a few times, and gets what waits in any of them", async () => {
  const { database } = bed;
  let asked = 0;
  const query: typeof database.reads.query = (statement, values) => {
    if (typeof statement !== "string" && statement.name.startsWith("waiting_tasks.")) asked += 1;
    return database.reads.query(statement, values);
  };
  const instance = await bed.openInstance({ database: { ...database, reads: { ...database.reads, query } } });
  const queues = Array.from({ length: 10 }, (_, index) => `many-${index}`);
  const handlers = Array.from({ length: 100 }, (_, index) => `many-${index}`);
  const parametersOf = (queue: number, handler: number) => ({
    parameters: { queue: `many-${queue}`, handler: `many-${handler}` },
  });
  await bed.register("many", [
    { id: "a", type: "worker", ...parametersOf(3, 7) },
    { id: "b", type: "worker", ...parametersOf(9, 99) },
    { id: "c", type: "worker", ...parametersOf(9, 99) },
    { id: "d", type: "worker", parameters: { ...parametersOf(0, 0).parameters, labels: { gpu: "a100" } } },
  ]);
  const runId = await start(instance, "many");
  await eventually(async () => expect(await rows()).toHaveLength(4));
  asked = 0;
  const worker = connectWorker(instance, { queues, handlers, labels: { gpu: "a100" } }, diligent);
  expect((await ended(instance, runId)).phase).toBe("COMPLETED");
  expect(worker.taken.map(({ task }) => task.path).sort()).toEqual(["a", "b", "c", "d"]);
  expect(asked).toBeLessThan(20);
});
