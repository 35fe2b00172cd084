/** Workers at one instance, and tasks at several: slots go where something waits. */
import { expect, test } from "vitest";
import { eventually } from "../../support/eventually.ts";
import { startOf } from "../../support/start-of.ts";
import { CALLER, createBed, type Instance, SHARDS } from "./bed.ts";
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
