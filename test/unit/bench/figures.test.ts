import { expect, test } from "vitest";
import { BARS, holds, judgeBars } from "../../../bench/harness/bars.ts";
import { median, percentile, summarize } from "../../../bench/harness/load.ts";
import type { Sitting } from "../../../bench/harness/sitting.ts";
import { SUBJECTS } from "../../../bench/harness/subjects.ts";

test("a call that reaches over the border of the window counts with the share that lies inside", () => {
  const calls = [
    { started: 0, finished: 200, runs: 1 },
    { started: 100, finished: 300, runs: 10 },
    { started: 1000, finished: 1400, runs: 4 },
  ];
  const { runs, runsPerSecond } = summarize(calls, 100, 1100);
  expect(runs).toBeCloseTo(0.5 + 10 + 1);
  expect(runsPerSecond).toBeCloseTo(11.5);
});

test("percentiles take the nearest rank, medians the middle", () => {
  const sorted = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10];
  expect([0.5, 0.9, 0.99].map((share) => percentile(sorted, share))).toEqual([5, 9, 10]);
  expect(median([9, 1, 5])).toBe(5);
  expect(median([4, 1, 3, 2])).toBe(2.5);
});

test("a bar is kept at its limit unless it must stay below, and never by a number that is none", () => {
  expect(holds({ rule: "atLeast", limit: 5 }, 5)).toBe(true);
  expect(holds({ rule: "atLeast", limit: 5 }, 4.99)).toBe(false);
  expect(holds({ rule: "atMost", limit: 1.3 }, 1.31)).toBe(false);
  expect(holds({ rule: "below", limit: 1 }, 1)).toBe(false);
  for (const rule of ["atLeast", "atMost", "below"] as const) expect(holds({ rule, limit: 1 }, Number.NaN)).toBe(false);
});

test("what a sitting did not measure is neither kept nor missed", () => {
  const verdicts = new Set(judgeBars(createSitting({})).map(({ verdict }) => verdict));
  expect([...verdicts]).toEqual(["not measured"]);
});

test("ours is compared with the fastest peer and never with an aside", () => {
  const sitting = createSitting({ grpc: 5000, restate: 900, dbos: 1000, "langgraph-async": 4000 });
  const [first] = judgeBars(sitting);
  expect(first?.bar).toBe(BARS[0]);
  expect(first).toMatchObject({ value: 5, verdict: "pass" });
});

/** A sitting in which subjects did so many runs per second with 200 in flight. */
function createSitting(rates: Readonly<Record<string, number>>): Sitting {
  const window = (runsPerSecond: number) => ({
    runs: 1,
    seconds: 1,
    runsPerSecond,
    p50Ms: 1,
    p90Ms: 1,
    p99Ms: 1,
    cpuSecondsPerThousand: 1,
    cpuParts: { driver: 1, servers: 0, postgres: 0 },
    othersShare: 0,
  });
  return {
    subjects: SUBJECTS,
    samples: new Map(
      Object.entries(rates).map(([name, rate]) => [name, [{ about: {}, windows: { 200: window(rate) } }]]),
    ),
    scenarios: new Map(),
    missing: new Map(),
    only: undefined,
    rounds: 1,
    quick: false,
    plan: { warmSeconds: 1, aloneSeconds: 1, flightSeconds: 1, attempts: 1 },
    postgresVersion: "18",
    postgresSettings: {},
  };
}
