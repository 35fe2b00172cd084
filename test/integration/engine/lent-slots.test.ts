/** Workers at one instance, and tasks at several: slots go where something waits. */
import { expect, test } from "vitest";
import { workerIdOf } from "../../../src/base/session-ids.ts";
import { eventually } from "../../support/eventually.ts";
import { startOf } from "../../support/start-of.ts";
import { CALLER, createBed, type Instance, recalls, SHARDS, wantsTold } from "./bed.ts";
import { connectWorker, type FakeWorker, type Taken } from "./fake-worker.ts";

const bed = createBed();

const NEVER = new AbortController().signal;

const work = (id: string, more: object = {}) => ({
  id,
  type: "worker",
  parameters: { handler: "work", input: { n: `${id}` } },
  ...more,
});

const THREE = [work("a"), work("b", { depends_on: ["a"] }), work("c", { depends_on: ["b"] })];

/** Acknowledges and completes at once. */
const diligent = (worker: FakeWorker, { token, task }: Taken): void => {
  void worker.report(token, { type: "acknowledged" });
  void worker.complete(token, { done: task.path });
};

/** Instances that share the shards. */
async function openTwo(): Promise<readonly [Instance, Instance]> {
  const first = await bed.openInstance({ ttlMs: 600 });
  const second = await bed.openInstance({ ttlMs: 600 });
  for (const { runtime } of [first, second])
    await eventually(() => expect(runtime.shards.owned).toHaveLength(SHARDS / 2));
  return [first, second];
}

const start = async (instance: Instance, flow: string, more: object = {}): Promise<string> =>
  (await instance.engine.startRun(CALLER, { ...startOf(flow), ...more }, 0)).run.state.runId;

const ended = async (instance: Instance, runId: string) =>
  (await instance.engine.waitRun(CALLER, runId, 10_000, NEVER)).state;

/** Free slots of a worker at its own instance. */
const freeOf = (home: Instance, { sessionId }: FakeWorker): number | undefined =>
  home.workers.list(CALLER).find(({ workerId }) => workerId === workerIdOf(sessionId))?.free;

test("runs of every instance go through with the workers of one, and each task is done once", async () => {
  await bed.register("three", THREE);
  const [here, there] = await openTwo();
  const worker = connectWorker(here, { slots: 4 }, diligent, [there]);
  const runs = await Promise.all(
    Array.from({ length: 40 }, async (_, index) => {
      const owner = index % 2 === 0 ? here : there;
      return { owner, runId: await start(owner, "three") };
    }),
  );
  for (const { owner, runId } of runs)
    expect(await ended(owner, runId)).toMatchObject({ phase: "COMPLETED", output: { c: { done: "c" } } });
  expect(worker.taken.map(({ task }) => `${task.runId} ${task.path}`).sort()).toEqual(
    runs.flatMap(({ runId }) => ["a", "b", "c"].map((path) => `${runId} ${path}`)).sort(),
  );
});

test("a cancel reaches the worker at another instance, and its word that it stopped ends the run", async () => {
  await bed.register("one", [work("a")]);
  const [here, there] = await openTwo();
  const worker = connectWorker(here, {}, () => {}, [there]);
  const runId = await start(there, "one");
  await eventually(async () => expect(worker.taken).toHaveLength(1));
  const { token } = worker.taken[0] as Taken;
  expect((await worker.report(token, { type: "acknowledged" })).standing).toBe("accepted");
  await there.engine.cancelRun(CALLER, runId, "enough", false);
  await eventually(async () => expect(worker.canceled).toEqual([token]));
  expect((await worker.report(token, { type: "alive" })).standing).toBe("cancel_requested");
  expect((await worker.report(token, { type: "stopped" })).standing).toBe("accepted");
  expect((await ended(there, runId)).phase).toBe("CANCELED");
});

test("the next task of a run goes into the slot of the last one, and a slot that nobody uses goes back", async () => {
  await bed.register("three", THREE);
  const [here, there] = await openTwo();
  const worker = connectWorker(here, { slots: 1 }, diligent, [there]);
  const runId = await start(there, "three");
  expect((await ended(there, runId)).phase).toBe("COMPLETED");
  // The first one waited in its queue; the others were handed out together with the report.
  const dispatched = (await bed.recordsOf(runId)).filter((record) => record.type === "task.dispatched");
  expect(dispatched.map((record) => "queued" in record)).toEqual([true, false, false]);
  await eventually(() => expect(freeOf(here, worker)).toBe(1));
});

test("a slot that is lent and not used comes back at once when a task waits here", async () => {
  await bed.register("one", [work("a")]);
  const [here, there] = await openTwo();
  const worker = connectWorker(here, { slots: 1 }, diligent, [there]);
  await ended(there, await start(there, "one"));
  expect(freeOf(here, worker)).toBe(0);
  const runId = await start(here, "one");
  expect((await ended(here, runId)).phase).toBe("COMPLETED");
  expect(recalls.has(here.id)).toBe(true);
});

test("the slots of a worker that drains come back at once: nothing is sent that it would not take", async () => {
  await bed.register("one", [work("a")]);
  const [here, there] = await openTwo();
  const worker = connectWorker(here, { slots: 1 }, diligent, [there]);
  await ended(there, await start(there, "one"));
  expect(freeOf(here, worker)).toBe(0);
  expect(recalls.has(here.id)).toBe(false);
  here.workers.drain(CALLER, workerIdOf(worker.sessionId), "deploy");
  await eventually(() => expect(recalls.has(here.id)).toBe(true));
  const runId = await start(there, "one");
  // Others do it, as the first to have it.
  const other = connectWorker(there, {}, diligent);
  expect((await ended(there, runId)).phase).toBe("COMPLETED");
  expect(other.taken).toHaveLength(1);
  expect((await bed.recordsOf(runId)).filter(({ type }) => type === "task.returned")).toEqual([]);
});

test("what waits longest among the highest priority goes first, at whichever instance it waits", async () => {
  const [here, there] = await openTwo();
  const priorities = [1, 3, 2, 3, 1, 2];
  for (const priority of new Set(priorities))
    await bed.register(`p${priority}`, [
      { id: "a", type: "worker", parameters: { handler: "work", priority, input: priority } },
    ]);
  const busy = connectWorker(here, { slots: 1 }, () => {}, [there]);
  await bed.register("first", [work("a")]);
  await start(here, "first");
  await eventually(async () => expect(busy.taken).toHaveLength(1));
  for (const [index, priority] of priorities.entries()) await start(index % 2 === 0 ? here : there, `p${priority}`);
  const waiting = () => bed.sql("SELECT task_path FROM orchestrator.waiting_tasks");
  await eventually(async () => expect(await waiting()).toHaveLength(priorities.length));
  const order: unknown[] = [];
  /** What waits there is known here. */
  const isTold = (left: number) => eventually(() => expect(wantsTold.get(there.id) ?? 0).toBe(left));
  let left = priorities.length / 2;
  await isTold(left);
  const { token } = busy.taken[0] as Taken;
  await busy.complete(token);
  for (let count = 2; count <= priorities.length + 1; count += 1) {
    const next = await eventually(async () => {
      expect(busy.taken).toHaveLength(count);
      return busy.taken.at(-1) as Taken;
    });
    order.push(JSON.parse(new TextDecoder().decode(next.task.inputJson)));
    if (there.runtime.shards.epochOf(there.runtime.shards.shardOf(next.task.runId)) !== undefined) left -= 1;
    await isTold(left);
    await busy.complete(next.token);
  }
  expect(order).toEqual([3, 3, 2, 2, 1, 1]);
});

test("a worker that goes away with tasks of another instance loses them there, and keeps what it says is alive", async () => {
  await bed.register("one", [work("a")]);
  const [here, there] = await openTwo();
  const lost = connectWorker(here, {}, () => {}, [there]);
  const runId = await start(there, "one");
  await eventually(async () => expect(lost.taken).toHaveLength(1));
  // Nothing was acknowledged: the stream alone decides.
  lost.disconnect();
  const other = connectWorker(here, {}, diligent, [there]);
  expect((await ended(there, runId)).phase).toBe("COMPLETED");
  expect(other.taken.map(({ task }) => task.attempt)).toEqual([1]);
  expect((await lost.complete(lost.taken[0]?.token ?? "")).standing).toBe("outdated");
});

test("a worker whose acknowledgements are heard elsewhere is not held for one that gives none", async () => {
  await bed.register("one", [work("a")]);
  const [here, there] = await openTwo();
  const worker = connectWorker(here, { slots: 3 });
  const runId = await start(there, "one");
  await eventually(() => expect(worker.taken).toHaveLength(1));
  const { token } = worker.taken[0] as Taken;
  // A proxy sends it to the owner of the run: the instance of the worker is not notified.
  await there.workers.report(CALLER, worker.sessionId, token, { type: "acknowledged" });
  await there.engine.terminateRun(CALLER, runId, "enough");
  await eventually(() => expect(worker.canceled).toEqual([token]));
  expect(here.workers.touch(CALLER, worker.sessionId)).toBe(true);
  // It has not said yet that it has stopped.
  await eventually(() => expect(freeOf(here, worker)).toBe(2));
});

/** A worker with the tasks of sixteen runs; then another instance joins, and gets the shards of some. */
async function holdMoved(acknowledges: boolean) {
  await bed.register("one", [work("a")]);
  const sessionTimeoutMs = 600_000;
  const here = await bed.openInstance({ ttlMs: 2_000, sessionTimeoutMs });
  const there: Instance[] = [];
  const worker = connectWorker(here, { slots: 16 }, () => {}, there);
  // Ids of callers are spread over the shards.
  const runs = await Promise.all(
    Array.from({ length: 16 }, (_, index) => start(here, "one", { runId: `run-${index}` })),
  );
  await eventually(() => expect(worker.taken).toHaveLength(16));
  if (acknowledges) for (const { token } of worker.taken) await worker.report(token, { type: "acknowledged" });
  there.push(await bed.openInstance({ ttlMs: 2_000, sessionTimeoutMs }));
  const [joined] = there as [Instance];
  await eventually(() => expect(joined.runtime.shards.owned).toHaveLength(SHARDS / 2));
  const owns = ({ runtime: { shards } }: Instance, runId: string): boolean =>
    shards.epochOf(shards.shardOf(runId)) !== undefined;
  const moved = runs.filter((runId) => owns(joined, runId));
  expect(moved.length).toBeGreaterThan(0);
  return { here, joined, worker, runs, moved };
}

const returnsOf = async (runId: string) =>
  (await bed.recordsOf(runId)).flatMap((record) => (record.type === "task.returned" ? [record.reason] : []));

// Cause: the new owner knew nothing of the session, and waited until it would have been lost.
test("tasks of runs that have moved since they were handed out come back at once when the stream breaks", async () => {
  const { here, joined, worker, runs, moved } = await holdMoved(false);
  worker.disconnect();
  for (const runId of runs) await eventually(async () => expect(await returnsOf(runId)).toEqual(["UNACKNOWLEDGED"]));
  connectWorker(joined, { slots: 16 }, diligent, [here]);
  for (const runId of moved) expect((await ended(joined, runId)).phase).toBe("COMPLETED");
});

test("a broken stream takes nothing that was acknowledged, wherever the run has moved; a goodbye takes all", async () => {
  const { here, worker, runs, moved } = await holdMoved(true);
  worker.disconnect();
  // What is told of the stream goes before what is told of the session.
  here.workers.goodbye(CALLER, worker.sessionId);
  for (const runId of runs) await eventually(async () => expect(await returnsOf(runId)).toEqual(["WORKER_LOST"]));
  for (const runId of moved) expect((await bed.stateOf(runId)).tasks.get("a")).toMatchObject({ attempt: 1 });
});

test("a task whose worker has another session at the new owner stays with it when it leaves the first one", async () => {
  const { here, joined, worker, moved } = await holdMoved(true);
  const [runId = ""] = moved;
  const { token } = worker.taken.find(({ task }) => task.runId === runId) as Taken;
  const again = connectWorker(joined, { slots: 8, handlers: ["other"] });
  expect((await again.report(token, { type: "alive" })).standing).toBe("accepted");
  here.workers.goodbye(CALLER, worker.sessionId);
  for (const other of moved.slice(1)) await eventually(async () => expect(await returnsOf(other)).toHaveLength(1));
  expect((await again.complete(token)).standing).toBe("accepted");
  expect(await returnsOf(runId)).toEqual([]);
  expect((await ended(joined, runId)).phase).toBe("COMPLETED");
});
