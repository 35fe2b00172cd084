/** Tasks that are handed out to a worker while its stream breaks. */
import { expect, test } from "vitest";
import type { Transition } from "../../../src/engine/ports/journal.ts";
import { eventually } from "../../support/eventually.ts";
import { startOf } from "../../support/start-of.ts";
import { CALLER, createBed } from "./bed.ts";
import { connectWorker, type Taken } from "./fake-worker.ts";

const bed = createBed();

// Cause: it was sent to nobody, and waited for its acknowledgement timeout.
test("a task whose worker lost its stream during the commit goes to another worker at once, at no attempt", async () => {
  await bed.register("one", [{ id: "a", type: "worker", parameters: { handler: "work" } }]);
  const instance = await bed.openInstance();
  const lost = connectWorker(instance, { name: "lost" });
  const committing = Promise.withResolvers<void>();
  const gate = Promise.withResolvers<void>();
  const before = () => {
    committing.resolve();
    return gate.promise;
  };
  const handsOut = ({ records }: Transition) => records.some(({ type }) => type === "task.dispatched");
  instance.journal.onCommit({ before }, (transitions) => transitions.some(handsOut));
  const started = instance.engine.startRun(CALLER, startOf("one"), 0);
  await committing.promise;
  lost.disconnect();
  const other = connectWorker(instance, { name: "other" });
  const releasedAt = performance.now();
  gate.resolve();
  const { runId } = (await started).run.state;
  await eventually(() => expect(other.taken).toHaveLength(1));
  expect(performance.now() - releasedAt).toBeLessThan(3_000);
  const [{ token, task }] = other.taken as [Taken];
  expect(task).toMatchObject({ runId, attempt: 1 });
  await other.complete(token);
  expect(lost.taken).toEqual([]);
  const records = await bed.recordsOf(runId);
  expect(records.filter(({ type }) => type === "task.returned")).toMatchObject([{ reason: "HANDED_BACK" }]);
});

test("a call that was broken off gives back at once what it was handed and what was on its way", async () => {
  await bed.register("two", [
    { id: "a", type: "worker", parameters: { handler: "work" } },
    { id: "b", type: "worker", parameters: { handler: "work" } },
  ]);
  const instance = await bed.openInstance();
  const { workers } = instance;
  const worker = {
    name: "fetching",
    sdk: "",
    queues: ["default"],
    handlers: ["work"],
    slots: 2,
    labels: {},
    buildId: "",
  };
  const { sessionId } = workers.register(CALLER, worker);
  const broken = new AbortController();
  const fetching = workers.fetch(CALLER, sessionId, 30_000, broken.signal, new AbortController().signal);
  const committing = Promise.withResolvers<void>();
  const gate = Promise.withResolvers<void>();
  const before = () => {
    committing.resolve();
    return gate.promise;
  };
  const handsOut = ({ records }: Transition) => records.some(({ type }) => type === "task.dispatched");
  instance.journal.onCommit({ before }, (transitions) => transitions.some(handsOut));
  const { runId } = (await instance.engine.startRun(CALLER, startOf("two"), 0)).run.state;
  await committing.promise;
  broken.abort();
  const other = connectWorker(instance, { name: "other" });
  const releasedAt = performance.now();
  gate.resolve();
  await fetching;
  await eventually(() => expect(other.taken.map(({ task }) => task.path).sort()).toEqual(["a", "b"]));
  expect(performance.now() - releasedAt).toBeLessThan(3_000);
  for (const { token } of other.taken) await other.complete(token);
  expect(other.taken.map(({ task }) => [task.runId, task.attempt])).toEqual([
    [runId, 1],
    [runId, 1],
  ]);
});
