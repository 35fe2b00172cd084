import { expect, test } from "vitest";
import {
  beatLoop,
  loopMemory,
  readLoop,
  setCurrentRun,
  withCurrentRun,
} from "../../../../src/base/process/current-run.ts";

const current = (): string => readLoop(loopMemory).runId;

test("the shared memory shows the current run, and none when it is put back", () => {
  expect(current()).toBe("");
  const before = setCurrentRun("run-1");
  expect([before, current()]).toEqual(["", "run-1"]);
  expect(withCurrentRun("a-longer-run:child", current)).toBe("a-longer-run:child");
  expect(current()).toBe("run-1");
  setCurrentRun("");
  expect(current()).toBe("");
  expect(withCurrentRun("run-1", current)).toBe("run-1");
});

test("a run is put back when the work throws", () => {
  const fails = () =>
    withCurrentRun("run-2", () => {
      throw new Error("planted");
    });
  expect(fails).toThrow("planted");
  expect(current()).toBe("");
});

test("a run whose id does not fit is shown as none: half a name blames somebody else", () => {
  expect(withCurrentRun("x".repeat(5_000), current)).toBe("");
  expect(withCurrentRun("x".repeat(4_096), current)).toHaveLength(4_096);
});

test("the heartbeat counts and says whether a debugger is attached", () => {
  const { beats } = readLoop(loopMemory);
  beatLoop(true);
  expect(readLoop(loopMemory)).toMatchObject({ beats: beats + 1, debugged: true });
  beatLoop(false);
  expect(readLoop(loopMemory)).toMatchObject({ beats: beats + 2, debugged: false });
});
