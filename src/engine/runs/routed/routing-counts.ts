/** Counts routed tasks that end at this instance. */
import type { Clock } from "../../../base/time/clock.ts";
import { isEndRecord } from "../../machine/control/end-records.ts";
import type { RoutingCounts, RoutingStats } from "../../ports/routing/routed-tasks.ts";
import type { RunObserver } from "../observer.ts";
import { isRoutedTask, routedTaskOf } from "./routed-task.ts";

/** An observer of runs that counts, and its counts; percentiles are those of the newest `keep` tasks. */
export function createRoutingCounts(keep: number, clock: Clock): RoutingStats & { readonly observer: RunObserver } {
  const since = clock.now();
  const counts = { success: 0, error: 0, timeout: 0, retries: 0, retriedSuccess: 0, retriedFailure: 0 };
  const newest: number[] = [];
  let ended = 0;
  let totalMs = 0;

  const note = (state: "SUCCESS" | "ERROR" | "TIMEOUT", retryCount: number, ms: number): void => {
    const isSuccess = state === "SUCCESS";
    counts[state === "SUCCESS" ? "success" : state === "ERROR" ? "error" : "timeout"] += 1;
    counts.retries += retryCount;
    if (retryCount > 0) counts[isSuccess ? "retriedSuccess" : "retriedFailure"] += 1;
    newest[ended % keep] = ms;
    ended += 1;
    totalMs += ms;
  };

  return {
    observer: {
      committed({ state }, records) {
        if (!isRoutedTask(state) || !records.some(isEndRecord)) return;
        const task = routedTaskOf(state);
        if (task.state !== "PENDING") note(task.state, task.retryCount, Math.max(0, state.endedAt - state.createdAt));
      },
    },
    read(): RoutingCounts {
      const sorted = newest.toSorted((a, b) => a - b);
      const percentile = (part: number): number | null =>
        sorted.length === 0 ? null : (sorted[Math.ceil(part * sorted.length) - 1] ?? null);
      return {
        ...counts,
        averageMs: ended === 0 ? null : totalMs / ended,
        p95Ms: percentile(0.95),
        p99Ms: percentile(0.99),
        since,
      };
    },
  };
}
