import { expect, test } from "vitest";
import { createJudge, LOOKS } from "../../../src/app/watchdog-thread.ts";

/** Feeds looks to a judge: `[beats, run]` each. Returns what it said at the last one. */
function judge(looks: readonly (readonly [number, string])[], debugged = false) {
  const look = createJudge();
  return looks.map(([beats, runId]) => look({ beats, runId, debugged })).at(-1);
}

/** `count` looks without a heartbeat. The first look at a new beat is none of the standstill. */
const still = (count: number, runId: (index: number) => string): (readonly [number, string])[] =>
  Array.from({ length: count + 1 }, (_, index) => [7, runId(index)]);

test("a loop without a heartbeat for the limit is judged, with the run that was in hand all the time", () => {
  expect(judge(still(LOOKS - 1, () => "bad"))).toBeNull();
  expect(judge(still(LOOKS, () => "bad"))).toEqual({ runId: "bad" });
});

test("nobody is blamed when no run, or more than one, was in hand", () => {
  expect(judge(still(LOOKS, () => ""))).toEqual({ runId: null });
  expect(judge(still(LOOKS, (index) => (index < 12 ? "one" : "two")))).toEqual({ runId: null });
  expect(judge(still(LOOKS, (index) => (index < 12 ? "" : "two")))).toEqual({ runId: null });
  // One that came back is no proof either.
  expect(judge(still(LOOKS, (index) => (index === 12 ? "two" : "one")))).toEqual({ runId: null });
});

test("one heartbeat begins the count anew, and a debugger stops it", () => {
  expect(judge([...still(LOOKS - 1, () => "bad"), [8, "bad"], [8, "bad"]])).toBeNull();
  expect(
    judge(
      still(LOOKS * 2, () => "bad"),
      true,
    ),
  ).toBeNull();
});
