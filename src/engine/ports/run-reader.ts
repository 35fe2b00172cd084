/** Reads of one run. Errors: RUN_NOT_FOUND for unknown and foreign runs, RUN_DELETED, STORE_UNAVAILABLE. */
import type { JournalRecord } from "../machine/records.ts";
import type { RunState } from "../machine/state.ts";
import type { Caller } from "./caller.ts";

/** A run as it was at a commit: never a state that is not durable. Treat as read-only. */
export interface RunView {
  readonly state: RunState;
}

/** A durable event of a run: a record with its place. */
export interface RunEventView {
  readonly runId: string;
  /** 1, 2, 3, … without gaps. */
  readonly sequence: number;
  readonly record: JournalRecord;
}

/** Some records of a run. */
export interface RunEventPage {
  readonly events: readonly RunEventView[];
  /** Whether there are more after the last one. */
  readonly more: boolean;
}

/** Reads runs of the tenant of the caller. */
export interface RunReader {
  getRun(caller: Caller, runId: string): Promise<RunView>;
  /** Resolves when the run has ended, `waitMs` have passed, `signal` aborts or the service drains, with the run as it is then. */
  waitRun(caller: Caller, runId: string, waitMs: number, signal: AbortSignal): Promise<RunView>;
  /** Records after `afterSequence`, oldest first, at most `limit` and, beyond the first, about 2 MB. */
  listEvents(caller: Caller, runId: string, afterSequence: number, limit: number): Promise<RunEventPage>;
}
