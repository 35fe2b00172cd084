/** The end of a run as its watches see it. */
import { expect, test } from "vitest";
import { eventually } from "../../support/eventually.ts";
import { startOf } from "../../support/start-of.ts";
import { CALLER, createBed } from "./bed.ts";

const bed = createBed();

// Cause: a run that had ended left memory before its watches were told of its last records.
test("a watch hears of the end from memory: the journal is not asked for events again", async () => {
  await bed.register("gate", [{ id: "go", type: "signal", parameters: { name: "go" } }]);
  const { engine, runs } = await bed.openInstance();
  const { run } = await engine.startRun(CALLER, startOf("gate"), 0);
  const { runId } = run.state;
  const { journal } = runs;
  const readEvents = journal.readEvents.bind(journal);
  let reads = 0;
  Object.assign(journal, {
    readEvents: (...asked: Parameters<typeof readEvents>) => {
      reads += 1;
      return readEvents(...asked);
    },
  });
  const frames: string[] = [];
  const watching = (async () => {
    for await (const frame of engine.watchRun(CALLER, runId, null, new AbortController().signal))
      frames.push(frame.type === "event" ? frame.event.record.type : frame.type);
  })();
  await eventually(() => expect(reads).toBe(1));
  const heard: boolean[] = [];
  runs.residence.get(runId)?.watchers?.add((records) => void heard.push(records.length > 0));
  await engine.signalRun(CALLER, runId, "go", null);
  await watching;
  expect(frames.at(-1)).toBe("end");
  expect(frames.at(-2)).toBe("run.completed");
  expect(reads).toBe(1);
  expect(heard).toEqual([true, false]);
});
