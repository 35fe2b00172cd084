/** Queues without workers are named. */
import { expect, onTestFinished, test } from "vitest";
import { watchQueues } from "../../../src/engine/queues/queue-watch.ts";
import { createQueueStore } from "../../../src/store/queues/queues.ts";
import { eventually } from "../../support/eventually.ts";
import { startOf } from "../../support/start-of.ts";
import { CALLER, createBed } from "./bed.ts";
import { connectWorker } from "./fake-worker.ts";
import type { LogLine } from "./log-lines.ts";

const bed = createBed();

const work = (id: string, parameters: object = {}) => ({
  id,
  type: "worker",
  parameters: { handler: "work", ...parameters },
});

test("a line that no worker serves is named once, and so is the end of it", async () => {
  await bed.register("two", [work("a"), work("b", { queue: "other", labels: { gpu: "a100" } })]);
  const instance = await bed.openInstance();
  const lines: LogLine[] = [];
  const note = (level: LogLine["level"]) => (message: string, fields?: object) =>
    void lines.push({ level, message, ...fields });
  const watch = watchQueues({
    store: createQueueStore(bed.database),
    isServed: instance.isServed,
    isPaused: (line) => (instance.rules.of(line)?.pause ?? null) !== null,
    shards: instance.runtime.shards,
    log: { debug() {}, info: note("info"), warn: note("warn"), error: note("error") },
    patienceMs: 200,
    everyMs: 50,
  });
  onTestFinished(() => watch.stop());
  connectWorker(instance, { queues: ["other"], labels: { gpu: "t4" } });
  await instance.engine.startRun(CALLER, startOf("two"), 0);
  await eventually(() => expect(watch.unserved.map(({ queue }) => queue).sort()).toEqual(["default", "other"]));
  expect(lines.filter(({ level }) => level === "warn").map(({ queue, labels }) => [queue, labels])).toEqual(
    expect.arrayContaining([
      ["default", ""],
      ["other", "gpu=a100"],
    ]),
  );
  connectWorker(instance, { queues: ["other", "default"], labels: { gpu: "a100" } });
  await eventually(() => expect(watch.unserved).toEqual([]));
  expect(lines.filter(({ level }) => level === "warn")).toHaveLength(2);
  expect(lines.filter(({ level }) => level === "info")).toHaveLength(2);
});
