/**
 * Closed-loop load and its figures. Imports only Node modules, so that the peers' programs can use it too: the same
 * code drives every subject.
 */
import { setTimeout as delay } from "node:timers/promises";

/** Result of one window. Latencies in milliseconds, from the call to the caller's receipt of the output. */
export interface LoadResult {
  /** Runs in the window; a run across a border counts with the share of its time inside. */
  readonly runs: number;
  readonly seconds: number;
  readonly runsPerSecond: number;
  readonly p50Ms: number;
  readonly p90Ms: number;
  readonly p99Ms: number;
}

/** One window: `inFlight` concurrent calls (1 for a run alone), after `warmSeconds` that do not count. */
export interface Load {
  readonly inFlight: number;
  readonly seconds: number;
  readonly warmSeconds: number;
}

/**
 * One call from start to end; rejects if the output is not the expected one. Resolves to the number of runs in the
 * call.
 */
export type RunOnce = (index: number) => Promise<number>;

/** Called when the window opens and when it closes, while the load continues. */
export interface WindowMarks {
  readonly onBegin: () => void;
  readonly onEnd: () => void;
}

/** One call; times in milliseconds of one clock. */
export interface Call {
  readonly started: number;
  readonly finished: number;
  readonly runs: number;
}

/**
 * Keeps `inFlight` calls in progress through warm-up and window, and until every call of the window has ended. If only
 * ends counted, subjects that answer in waves (all calls at once) would be miscounted by up to one wave; shares do not
 * depend on where in a wave the border is.
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
