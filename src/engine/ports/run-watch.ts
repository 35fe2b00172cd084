/** Follows runs while they change. */
import type { RunState } from "../machine/state.ts";
import type { Caller } from "./caller.ts";
import type { RunHeader } from "./run-index.ts";
import type { RunEventView } from "./run-reader.ts";

/** A frame of a watch. The first is a snapshot, unless the watch resumes from a sequence; the last is `end`. */
export type WatchFrame =
  | { readonly type: "snapshot"; readonly state: RunState }
  | { readonly type: "event"; readonly event: RunEventView }
  | { readonly type: "end"; readonly state: RunState };

/** What a follower of all runs hears. */
export type RunChange =
  /** Runs as they are now, up to a hundred, in the order in which they changed. */
  | { readonly type: "changed"; readonly headers: readonly RunHeader[] }
  /** So many changes at least are missing: the follower was too slow, or they cannot be had. */
  | { readonly type: "gap"; readonly lostCount: number };

/** Whose runs a follower sees: those that this instance owns, or also those that are relayed from others, see {@link RunRelay}. */
export type FollowScope = "own" | "all";

/** Watches over runs of the tenant of the caller. Errors: RUN_NOT_FOUND for unknown and foreign runs, STORE_UNAVAILABLE, SHUTTING_DOWN. */
export interface RunWatch {
  /** Ordered, gapless. Without `afterSequence` it begins with a snapshot. Ends after the `end` frame, or when `signal` aborts. A reader more than 10,000 events behind gets WATCH_TOO_SLOW. */
  watchRun(caller: Caller, runId: string, afterSequence: number | null, signal: AbortSignal): AsyncIterable<WatchFrame>;
  /** Headers of runs of the tenant as they change, from the first call of `next` on. A follower that falls behind hears of a gap. */
  watchRuns(caller: Caller, signal: AbortSignal, scope: FollowScope): AsyncIterable<RunChange>;
}

/** Takes in what other instances say about their runs. */
export interface RunRelay {
  /** Passes a change of runs of the tenant on to the followers of scope `all`. */
  relay(tenantId: string, change: RunChange): void;
}
