/**
 * Closed-loop load and its figures. Imports nothing but Node, so that the peers' programs can use it as well as ours:
 * every subject is driven by this same code.
 */
import { setTimeout as delay } from "node:timers/promises";

/** What one window gave. Latencies in milliseconds, from the call to the output in the caller's hands. */
export interface LoadResult {
  /** Runs done in the window; a run that reaches over a border counts with the share of its time that lies inside. */
  readonly runs: number;
  readonly seconds: number;
  readonly runsPerSecond: number;
  readonly p50Ms: number;
  readonly p90Ms: number;
  readonly p99Ms: number;
}

/** One window: `inFlight` calls at any time (1 for a run alone), `warmSeconds` before it that do not count. */
export interface Load {
  readonly inFlight: number;
  readonly seconds: number;
  readonly warmSeconds: number;
}

/**
 * One call from start to finished; rejects when the output is not the expected one. Resolves to the runs that it
 * carried.
 */
export type RunOnce = (index: number) => Promise<number>;

/** Called when the window opens and when it closes, while the load goes on. */
export interface WindowMarks {
  readonly onBegin: () => void;
  readonly onEnd: () => void;
}

/** One call as it was; times in milliseconds of one clock. */
export interface Call {
  readonly started: number;
  readonly finished: number;
  readonly runs: number;
}

/**
 * Keeps `inFlight` calls going through warm-up and window without a pause, and on until every call of the window has
 * ended. Subjects that answer in waves (all calls at once) would be miscounted by up to one wave if ends alone counted;
 * counting shares does not depend on where in a wave the window's border falls.
 */
export async function driveLoad(run: RunOnce, load: Load, marks: WindowMarks): Promise<LoadResult> {
  const calls: Call[] = [];
  let begin = Number.POSITIVE_INFINITY;
  let end = Number.POSITIVE_INFINITY;
  let index = 0;
  let openAtEnd = Number.POSITIVE_INFINITY;
  let failed = false;
  const lane = async (): Promise<void> => {
    while (!failed && openAtEnd > 0) {
      const started = performance.now();
      const runs = await run(index++);
      const finished = performance.now();
      if (finished > begin && started < end) calls.push({ started, finished, runs });
      if (finished > end && started <= end) openAtEnd--;
    }
  };
  const keepTime = async (): Promise<void> => {
    await delay(load.warmSeconds * 1000);
    begin = performance.now();
    marks.onBegin();
    await delay(load.seconds * 1000);
    end = performance.now();
    openAtEnd = load.inFlight;
    marks.onEnd();
  };
  try {
    await Promise.all([keepTime(), ...Array.from({ length: load.inFlight }, lane)]);
  } finally {
    failed = true;
  }
  return summarize(calls, begin, end);
}

/** Figures of the window from `begin` to `end`. */
export function summarize(calls: readonly Call[], begin: number, end: number): LoadResult {
  const latencies = calls.map((call) => call.finished - call.started).sort((a, b) => a - b);
  const runs = calls.reduce((sum, { started, finished, runs }) => {
    const inside = Math.min(finished, end) - Math.max(started, begin);
    return sum + runs * Math.min(1, inside / (finished - started));
  }, 0);
  const seconds = (end - begin) / 1000;
  return {
    runs,
    seconds,
    runsPerSecond: runs / seconds,
    p50Ms: percentile(latencies, 0.5),
    p90Ms: percentile(latencies, 0.9),
    p99Ms: percentile(latencies, 0.99),
  };
}

/** Nearest-rank percentile of an ascending list; NaN when it is empty. */
export function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(sorted.length * share) - 1))] ?? Number.NaN;
}

/** Median of a list of any order; NaN when it is empty. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? upper) + upper) / 2;
}
