import { expect, test } from "vitest";
import { beatLoop, loopMemory, readLoop, takeInHand, withRunInHand } from "../../../../src/base/process/in-hand.ts";

const inHand = (): string => readLoop(loopMemory).runId;

test("the shared memory shows the run in hand, and none when it is put back", () => {
  expect(inHand()).toBe("");
  const before = takeInHand("run-1");
  expect([before, inHand()]).toEqual(["", "run-1"]);
  expect(withRunInHand("a-longer-run:child", inHand)).toBe("a-longer-run:child");
  expect(inHand()).toBe("run-1");
  takeInHand("");
  expect(inHand()).toBe("");
  expect(withRunInHand("run-1", inHand)).toBe("run-1");
});

test("a run is put back when the work throws", () => {
  const fails = () =>
    withRunInHand("run-2", () => {
      throw new Error("planted");
    });
  expect(fails).toThrow("planted");
  expect(inHand()).toBe("");
});

test("a run whose id does not fit is shown as none: half a name blames somebody else", () => {
  expect(withRunInHand("x".repeat(5_000), inHand)).toBe("");
  expect(withRunInHand("x".repeat(4_096), inHand)).toHaveLength(4_096);
});

test("the heartbeat counts and says whether a debugger is attached", () => {
  const { beats } = readLoop(loopMemory);
  beatLoop(true);
  expect(readLoop(loopMemory)).toMatchObject({ beats: beats + 1, debugged: true });
  beatLoop(false);
  expect(readLoop(loopMemory)).toMatchObject({ beats: beats + 2, debugged: false });
});
