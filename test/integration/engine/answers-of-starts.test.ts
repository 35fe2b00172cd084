/** What a start answers comes from memory: nobody reads back a run that was just written. */
import { expect, test } from "vitest";
import { eventually } from "../../support/eventually.ts";
import { startOf } from "../../support/start-of.ts";
import { CALLER, createBed } from "./bed.ts";

const bed = createBed();

// By the time the caller went on, the first task had moved the run, which was then read from the journal.
test("starts that do not wait read no run from the store, although their tasks begin at once", async () => {
  await bed.register("steps", [
    { id: "a", type: "noop" },
    { id: "b", type: "noop", depends_on: ["a"] },
  ]);
  const read: string[] = [];
  const instance = await bed.openInstance({ beforeLoad: (runId) => void read.push(runId) });
  const starts = await Promise.all(
    Array.from({ length: 50 }, () => instance.engine.startRun(CALLER, startOf("steps"), 0)),
  );
  for (const { run } of starts) expect(run.state).toMatchObject({ phase: "RUNNING", flowId: "steps" });
  expect(read).toEqual([]);
  for (const { run } of starts)
    await eventually(async () => expect((await bed.stateOf(run.state.runId)).phase).toBe("COMPLETED"));
});
