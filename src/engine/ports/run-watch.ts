/** Follows runs while they change. */
import type { RunState } from "../machine/state.ts";
import type { Caller } from "./caller.ts";
import type { RunHeader } from "./run-index.ts";
import type { RunEventView } from "./run-reader.ts";

/** A frame of a watch. The first frame is a snapshot, unless the watch resumes from a sequence; the last is `end`. */
export type WatchFrame =
  | { readonly type: "snapshot"; readonly state: RunState }
  | { readonly type: "event"; readonly event: RunEventView }
  | { readonly type: "end"; readonly state: RunState };

/** A notification to a follower of all runs. */
export type RunChange =
  /** Current headers of up to a hundred runs, in the order in which they changed. */
  | { readonly type: "changed"; readonly headers: readonly RunHeader[] }
  /** At least this many changes are missing: the follower was too slow, or the changes are unavailable. */
  | { readonly type: "gap"; readonly lostCount: number };

/**
 * Which runs a follower sees: those that this instance owns, or also those relayed from other instances, see {@link
 * RunRelay}.
 */
export type FollowScope = "own" | "all";

/**
 * Watches over runs of the caller's tenant. Errors: RUN_NOT_FOUND for unknown runs and those of other tenants,
 * STORE_UNAVAILABLE, SHUTTING_DOWN.
 */
export interface RunWatch {
  /**
   * Ordered and gapless. Without `afterSequence` it begins with a snapshot. Ends after the `end` frame, or when
   * `signal` aborts. A reader more than 10,000 events behind gets WATCH_TOO_SLOW.
   */
  watchRun(caller: Caller, runId: string, afterSequence: number | null, signal: AbortSignal): AsyncIterable<WatchFrame>;
  /**
   * Headers of runs of the tenant as they change, from the first call of `next` on. A follower that falls behind
   * receives a gap.
   */
  watchRuns(caller: Caller, signal: AbortSignal, scope: FollowScope): AsyncIterable<RunChange>;
}

/** Receives changes that other instances report about their runs. */
export interface RunRelay {
  /** Forwards a change to the tenant's followers with scope `all`. */
  relay(tenantId: string, change: RunChange): void;
}
