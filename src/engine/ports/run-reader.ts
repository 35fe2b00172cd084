/**
 * Reads of one run. Errors: RUN_NOT_FOUND for unknown runs and those of other tenants, RUN_DELETED, STORE_UNAVAILABLE.
 */
import type { JournalRecord } from "../machine/records.ts";
import type { RunState } from "../machine/state.ts";
import type { Caller } from "./caller.ts";

/** A run as of a commit: never a state that is not durable. Treat as read-only. */
export interface RunView {
  readonly state: RunState;
}

/** A durable event of a run: a record with its position. */
export interface RunEventView {
  readonly runId: string;
  /** 1, 2, 3, … without gaps. */
  readonly sequence: number;
  readonly record: JournalRecord;
}

/** Some records of a run. */
export interface RunEventPage {
  readonly events: readonly RunEventView[];
  /** Whether more records follow. */
  readonly more: boolean;
}

/** Reads runs of the caller's tenant. */
export interface RunReader {
  getRun(caller: Caller, runId: string): Promise<RunView>;
  /**
   * Resolves when the run has ended, `waitMs` have passed, `signal` aborts, or the service drains, with the run in its
   * current state.
   */
  waitRun(caller: Caller, runId: string, waitMs: number, signal: AbortSignal): Promise<RunView>;
  /** Returns records after `afterSequence`, oldest first: at most `limit` and, beyond the first, about 2 MB. */
  listEvents(caller: Caller, runId: string, afterSequence: number, limit: number): Promise<RunEventPage>;
}
