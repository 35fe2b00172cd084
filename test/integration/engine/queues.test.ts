/** What operators say about queues, and what the instances do. */
import { expect, test } from "vitest";
import { eventually } from "../../support/eventually.ts";
import { startOf } from "../../support/start-of.ts";
import { CALLER, createBed, type Instance } from "./bed.ts";

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
