/** Follows runs while they change. */
import type { RunState } from "../machine/state.ts";
import type { Caller } from "./caller.ts";
import type { RunHeader } from "./run-index.ts";
import type { RunEventView } from "./run-reader.ts";

/**
 * What an attempt tells those who watch: its progress, a line of its log, or text that it produces. It is not stored.
 */
export type TaskNote =
  | TaskProgress
  | { readonly type: "token"; readonly text: string }
  | { readonly type: "log"; readonly level: "DEBUG" | "INFO" | "WARN" | "ERROR"; readonly text: string };

/** How far an attempt is. */
export interface TaskProgress {
  readonly type: "progress";
  /** From 0 to 1; null: unknown. */
  readonly fraction: number | null;
  /** Steps that are done, and steps in all: whole numbers of 32 bits, 0 or more; null: unknown. */
  readonly current: number | null;
  readonly total: number | null;
  readonly message: string;
}

/** A note, and the attempt that it comes from. */
export interface NoteView {
  readonly task: string;
  readonly attempt: number;
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly note: TaskNote;
}

/** A frame of a watch. The first frame is a snapshot, unless the watch resumes from a sequence; the last is `end`. */
export type WatchFrame =
  | { readonly type: "snapshot"; readonly state: RunState }
  | { readonly type: "event"; readonly event: RunEventView }
  | { readonly type: "note"; readonly view: NoteView }
  /** At least this many notes are missing. */
  | { readonly type: "gap"; readonly lostCount: number }
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
   * `signal` aborts. A reader more than 10,000 events behind gets WATCH_TOO_SLOW. With `notes`, it has those of the
   * moment in between, and gaps where the reader was too slow for them or there were too many.
   */
  watchRun(
    caller: Caller,
    runId: string,
    afterSequence: number | null,
    signal: AbortSignal,
    notes?: boolean,
  ): AsyncIterable<WatchFrame>;
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
