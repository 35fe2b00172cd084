/** Tasks of executors: where they wait, and what it means for them that the service has topics or has none. */
import { expect, test } from "vitest";
import { OutboxGate } from "../../../src/engine/runs/dispatch/outbox-gate.ts";
import { eventually } from "../../support/eventually.ts";
import { startOf } from "../../support/start-of.ts";
import { CALLER, createBed, type Instance } from "./bed.ts";
import { connectWorker } from "./fake-worker.ts";

const bed = createBed();

const NEVER = new AbortController().signal;

const TASK = {
  id: "a",
  type: "queue",
  parameters: { handler: "work", inputs: { n: 1 } },
};

const start = async (instance: Instance): Promise<string> => {
  await bed.register("one", [TASK]);
  return (await instance.engine.startRun(CALLER, startOf("one"), 0)).run.state.runId;
};

const rows = () =>
  bed.sql<{ queue: string; held: boolean; deferred: boolean }>(
    "SELECT queue, held, deferred FROM orchestrator.waiting_tasks",
  );

const topics = async () =>
  (await bed.sql<{ topic: string }>("SELECT topic FROM orchestrator.outbox WHERE kind = 'task'")).map(
    ({ topic }) => topic,
  );

function createGate(isFull: boolean): OutboxGate {
  const gate = new OutboxGate();
  gate.set({ messages: 0, bytes: 0 }, isFull);
  return gate;
}

/** A run that is held, with a task for a topic that found the outbox full. */
async function startHeld(instance: Instance): Promise<string> {
  const runId = await start(instance);
  await eventually(async () => expect(await rows()).toHaveLength(1));
  await instance.engine.pauseRun(CALLER, runId, "test");
  expect(await rows()).toMatchObject([{ held: true }]);
  return runId;
}

test("no limit of a queue reaches tasks for the topic of its name", async () => {
  const gate = createGate(true);
  const instance = await bed.openInstance({ topics: gate });
  const { queues } = instance;
  await queues.changeQueue(CALLER, "task_queue", { type: "update", ttlMs: 1 });
  await queues.changeQueue(CALLER, "task_queue", { type: "drain", why: "test" });
  const runId = await startHeld(instance);
  await bed.register("witness", [{ id: "w", type: "worker", parameters: { handler: "work", queue: "task_queue" } }]);
  const witness = (await instance.engine.startRun(CALLER, startOf("witness"), 0)).run.state.runId;
  const { state } = await instance.engine.waitRun(CALLER, witness, 20_000, NEVER);
  expect(state.error).toMatchObject({ type: "QUEUE_EXPIRED" });
  expect(await rows()).toEqual([{ queue: "@topic:task_queue", held: true, deferred: false }]);
  expect((await bed.stateOf(runId)).tasks.get("a")).toMatchObject({ state: "SCHEDULED", attempt: 1 });
  expect(await queues.viewQueues(CALLER, ["task_queue"])).toMatchObject([{ waiting: 0, deferred: 0, held: 0 }]);
  expect(await queues.listNames(CALLER, "", 10)).toEqual(["task_queue"]);
  gate.set({ messages: 0, bytes: 0 }, false);
  await instance.engine.resumeRun(CALLER, runId, [], "test");
  await eventually(async () => expect(await topics()).toEqual(["task_queue"]));
  expect(await rows()).toEqual([]);
});

test("without topics, workers that serve the queue named like the topic do its tasks", async () => {
  const instance = await bed.openInstance();
  const runId = await start(instance);
  await eventually(async () => expect(await rows()).toMatchObject([{ queue: "task_queue" }]));
  expect(await instance.queues.viewQueues(CALLER, ["task_queue"])).toMatchObject([{ waiting: 1 }]);
  const worker = connectWorker(instance, { queues: ["task_queue"] }, (self, { token }) => {
    void self.report(token, { type: "acknowledged" }).then(() => self.complete(token, "done"));
  });
  const { state } = await instance.engine.waitRun(CALLER, runId, 10_000, NEVER);
  expect(state).toMatchObject({ phase: "COMPLETED", output: { a: "done" } });
  expect(worker.taken).toMatchObject([{ task: { queue: "task_queue", handler: "work" } }]);
});

test("tasks that wait for workers go to their topic once there are topics, also those that an older version left", async () => {
  const first = await bed.openInstance();
  await start(first);
  await start(first);
  await eventually(async () => expect(await rows()).toHaveLength(2));
  await first.stop();
  await bed.sql(
    "UPDATE orchestrator.waiting_tasks SET transport = 'topic' WHERE run_id = (SELECT min(run_id) FROM orchestrator.waiting_tasks)",
  );
  await bed.openInstance({ topics: createGate(false) });
  await eventually(async () => expect(await topics()).toEqual(["task_queue", "task_queue"]));
  expect(await rows()).toEqual([]);
});

test("tasks for a topic go to workers when there are topics no more", async () => {
  const first = await bed.openInstance({ topics: createGate(true) });
  const runId = await startHeld(first);
  await first.stop();
  const second = await bed.openInstance();
  const worker = connectWorker(second, { queues: ["task_queue"] }, (self, { token }) => void self.complete(token));
  await eventually(async () => expect(await rows()).toMatchObject([{ queue: "task_queue" }]));
  await second.engine.resumeRun(CALLER, runId, [], "test");
  expect((await second.engine.waitRun(CALLER, runId, 10_000, NEVER)).state.phase).toBe("COMPLETED");
  expect(worker.taken).toHaveLength(1);
});
