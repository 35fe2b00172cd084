import { expect, test } from "vitest";
import { createJudge, LOOKS, MAX_LOOKS } from "../../../../src/service/processes/watchdog-thread.ts";

/** Feeds looks to a judge: `[beats, run]` each. Returns what it said at the last one. */
function judge(looks: readonly (readonly [number, string])[], debugged = false, share = 1) {
  const look = createJudge();
  return looks.map(([beats, runId]) => look({ beats, runId, debugged }, share)).at(-1);
}

/** `count` looks without a heartbeat. The first look at a new beat is none of the standstill. */
const still = (count: number, runId: (index: number) => string): (readonly [number, string])[] =>
  Array.from({ length: count + 1 }, (_, index) => [7, runId(index)]);

test("a loop without a heartbeat for the limit is judged, with the run that was current all the time", () => {
  expect(judge(still(LOOKS * 0.9 - 1, () => "bad"))).toBeNull();
  expect(judge(still(LOOKS, () => "bad"))).toEqual({ runId: "bad" });
});

test("nobody is blamed when no run, or more than one, was current", () => {
  expect(judge(still(LOOKS, () => ""))).toEqual({ runId: null });
  expect(judge(still(LOOKS, (index) => (index < 12 ? "one" : "two")))).toEqual({ runId: null });
  expect(judge(still(LOOKS, (index) => (index < 12 ? "" : "two")))).toEqual({ runId: null });
  // One that came back is no proof either.
  expect(judge(still(LOOKS, (index) => (index === 12 ? "two" : "one")))).toEqual({ runId: null });
});

test("one heartbeat begins the count anew, and a debugger stops it", () => {
  expect(judge([...still(LOOKS * 0.9 - 1, () => "bad"), [8, "bad"], [8, "bad"]])).toBeNull();
  expect(
    judge(
      still(LOOKS * 2, () => "bad"),
      true,
    ),
  ).toBeNull();
});

// Cause: the standstill was counted in elapsed time, so on a machine with ten busy processes two seconds of work ended
// the service.
test("a loop that gets little of the processor is given the time, and in the end blames nobody", () => {
  expect(
    judge(
      still(LOOKS * 2, () => "innocent"),
      false,
      0.3,
    ),
  ).toBeNull();
  expect(
    judge(
      still(MAX_LOOKS, () => "innocent"),
      false,
      0,
    ),
  ).toEqual({ runId: null });
  expect(
    judge(
      still(MAX_LOOKS - 1, () => "bad"),
      false,
      0.4,
    ),
  ).toEqual({ runId: "bad" });
});
