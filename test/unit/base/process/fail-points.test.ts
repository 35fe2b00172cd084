import { afterEach, expect, test } from "vitest";
import { armFailPoints, FAIL_POINTS, failPoint, parseFailPoints } from "../../../../src/base/process/fail-points.ts";

afterEach(() => {
  // The last one that is armed counts; this one is used up at once.
  armFailPoints("close.drained=block:0");
});

test("an unarmed fail point does nothing", () => {
  for (const name of Object.keys(FAIL_POINTS)) failPoint(name as keyof typeof FAIL_POINTS);
});

test("an armed one acts at its hit and never again", () => {
  armFailPoints("commit.after=throw@3");
  failPoint("commit.after");
  failPoint("commit.before");
  failPoint("commit.after");
  expect(() => failPoint("commit.after")).toThrow("fail point commit.after");
  failPoint("commit.after");
});

test("one that names a run counts the hits of that run alone", () => {
  armFailPoints("run.decide[bad:child.1]=throw@2");
  failPoint("run.decide", "bad:child.1");
  failPoint("run.decide", "good");
  failPoint("run.decide");
  expect(() => failPoint("run.decide", "bad:child.1")).toThrow("fail point run.decide");
});

test("block stands still for the given time", () => {
  armFailPoints("lease.renew=block:60, timer.fire=kill@1000000");
  const before = performance.now();
  failPoint("timer.fire");
  expect(performance.now() - before).toBeLessThan(40);
  failPoint("lease.renew");
  expect(performance.now() - before).toBeGreaterThan(55);
});

test("what cannot be read is named", () => {
  for (const text of [
    "",
    "commit.after",
    "commit.after=explode",
    "nowhere=kill",
    "commit.after=kill@x",
    "toString=kill",
    "run.decide[]=abort",
  ])
    expect(() => parseFailPoints(text)).toThrow(`fail point ${JSON.stringify(text)}`);
});
