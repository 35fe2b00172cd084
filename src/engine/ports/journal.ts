/**
 * The port to the journal: what the engine needs from a store.
 *
 * A batch is one statement: it is committed as a whole or not at all. It holds at most one transition per run. The
 * fence is part of it: transitions of shards whose lease is not held at the given epoch are left out, and the result
 * lists them.
 */

import type { JournalRecord } from "../machine/records.ts";
import type { Lease, TakenLease } from "./leases.ts";
import type { ProjectedRows } from "./projections.ts";
import type { RunHeader } from "./run-index.ts";

/** Record type of a journal. */
export type { JournalRecord };

/** Records of one run, or of another entity, that are written together. */
export interface Transition {
  readonly runId: string;
  readonly shard: number;
  /** Day of the run's creation, days since 1970. */
  readonly day: number;
  /** Sequence of the first record. */
  readonly sequence: number;
  readonly records: readonly (JournalRecord | { readonly type: string; readonly at: number })[];
  /** `records` in their stored form. */
  readonly json: string;
  readonly at: number;
  /**
   * The transition is a timer that fires at this time; it is refused when the database's clock has not reached it. 0:
   * none.
   */
  readonly dueAt: number;
  /** Header of the run, if the run is new. */
  readonly start: StartRow | null;
  /** New header; null: unchanged. */
  readonly header: HeaderRow | null;
  /** Rows of the projections that the records affect; usually none. */
  readonly rows: readonly ProjectedRows[];
}

/** Header of a new run. */
export interface StartRow extends Omit<RunHeader, "endedAt"> {
  readonly endedAt: number | null;
  readonly parentTask: string;
  readonly moving: boolean;
  /** A worker has a task of the run. */
  readonly handedOut: boolean;
  readonly wakeAt: number | null;
  /** Keys that start at most one run: `request`, `run`. In order: each is written only if the previous one was free. */
  readonly keys: readonly { readonly kind: "request" | "run"; readonly key: string; readonly hash: string }[];
  /** The run id was chosen outside: the start is refused if a run has it, or had it before it was deleted. */
  readonly named?: boolean;
}

/** Changed header of a run. */
export interface HeaderRow {
  readonly state: string;
  /** The run makes progress without outside input, see `isMoving`. */
  readonly moving: boolean;
  /** A worker has a task of the run. */
  readonly handedOut: boolean;
  readonly sequence: number;
  readonly wakeAt: number | null;
  readonly updatedAt: number;
  readonly endedAt: number | null;
}

/** Result of a batch. */
export interface CommitResult {
  /** Database clock, milliseconds. */
  readonly now: number;
  /** Runs whose transitions were not written; empty when all were. */
  readonly refused: readonly Refusal[];
}

/**
 * Why a transition was not written: this instance no longer owns the shard, the key or id of the start was taken, its
 * flow version is gone, or the timer was early.
 */
export interface Refusal {
  readonly runId: string;
  readonly why: "fenced" | "taken" | "gone" | "early";
}

/**
 * How a commit failed. `data`: a row of the batch is invalid, nothing was written. `gone`: the flow version of a start
 * is no longer registered, or has different content by now; nothing was written. `slow`: it exceeded the available time
 * or memory, nothing was written. `failed`: nothing was written for another reason. `unknown`: it may have been
 * written.
 */
export type CommitFailure = "data" | "gone" | "slow" | "failed" | "unknown";

/** A commit that failed. */
export class CommitError extends Error {
  override readonly name = "CommitError";
  readonly kind: CommitFailure;
  constructor(kind: CommitFailure, cause: unknown) {
    super(`commit: ${kind}`, { cause });
    this.kind = kind;
  }
}

/** A run as stored. */
export interface StoredRun {
  readonly runId: string;
  readonly shard: number;
  readonly day: number;
  readonly header: RunHeader;
  /** As in the header: it was making progress when it was last written. */
  readonly moving: boolean;
  readonly handedOut: boolean;
  readonly wakeAt: number | null;
  readonly records: readonly JournalRecord[];
  /** Sequence of the last record; 0 if there is none. */
  readonly sequence: number;
  /** Size of the stored records, characters. */
  readonly size: number;
}

/** A transition as stored. */
export interface StoredTransition {
  readonly sequence: number;
  /** How many records there are. */
  readonly count: number;
  readonly records: readonly JournalRecord[];
  /** Size of the stored records, characters. */
  readonly size: number;
}

/** A run with an upcoming timer. */
export interface DueRun {
  readonly runId: string;
  /** Milliseconds since the epoch, with the fractions that the store keeps. */
  readonly wakeAt: number;
}

/** Key that an earlier start may have used. */
export interface StartLookup {
  readonly tenantId: string;
  readonly requestId: string;
  readonly runId: string;
  readonly flowId: string;
  readonly runKey: string;
}

/** The run that a start conflicts with. */
export interface StartConflict {
  readonly by: "request" | "run" | "run_key";
  readonly runId: string;
  readonly requestHash: string;
}

/** One connection of the commit pipeline: its batches are committed one after another. */
export interface JournalWriter {
  /**
   * Throws {@link CommitError}. After every failure except `data`, the writer drops its connection and opens a new one.
   */
  commit(leases: readonly Lease[], transitions: readonly Transition[]): Promise<CommitResult>;
  close(): Promise<void>;
}

/** A run that a takeover examines. */
export interface MovingRun {
  readonly runId: string;
  /** False: it only waits, and it is overdue. */
  readonly moving: boolean;
}

/** What a suspect is tried with: a takeover of the run, or one of its events. Deaths count against the pair. */
export interface Trial {
  readonly runId: string;
  readonly shard: number;
  /** `takeover`, or the type of the event and its task. */
  readonly moment: string;
}

/** A run that was in progress, alone or among a few, when an owner of its shard died. */
export interface Suspect extends Trial {
  /** Consecutive owners that died while this run, alone, was in progress at this moment. */
  readonly deaths: number;
  /**
   * Owners that died within the last ten minutes although no run accounts for it: none was in progress, or another one
   * that has passed its trial since.
   */
  readonly unexplained: number;
  /** The watchdog found the event loop blocked in this run. */
  readonly blocked: boolean;
}

/** A run that was ended without being read. */
export interface EndedUnread {
  /** Sequence of the record that ended it. */
  readonly sequence: number;
  /** The task that waits for it; null when no run started it. */
  readonly parent: { readonly runId: string; readonly task: string } | null;
}

/** The store behind the engine. */
export interface Journal {
  openWriter(name: string): Promise<JournalWriter>;
  /** Returns the run with all its records, or null when there is none. */
  loadRun(runId: string): Promise<StoredRun | null>;
  /** Returns only the header: for runs whose journal cannot be read. */
  findHeader(runId: string): Promise<RunHeader | null>;
  /**
   * Deletes an ended run with all its data and leaves a tombstone, in one statement. `related`: the run, its parent, or
   * one of its children is open.
   */
  deleteRun(lease: Lease, tenantId: string, runId: string): Promise<"deleted" | "fenced" | "related">;
  /**
   * Returns when a run of the tenant was deleted, milliseconds; null when it was not, 0 when the stored time is
   * damaged.
   */
  findDeleted(tenantId: string, runId: string): Promise<number | null>;
  /**
   * Quarantines a run that cannot be read, so that it is neither resumed nor woken: its header says QUARANTINED. False
   * when the lease is not held, the run is not open, or it was already quarantined.
   */
  quarantine(lease: Lease, runId: string): Promise<boolean>;
  /** Ends an open run without reading it. Null when the lease is not held or the run is not open. */
  endUnread(lease: Lease, runId: string, record: JournalRecord): Promise<EndedUnread | null>;
  /**
   * Records durably that `trials` are now in progress and that the trials in `passed` succeeded; an empty moment means
   * every moment of the run. `alone`: there is one trial, and nothing else is in progress. Shards whose leases are not
   * held are skipped.
   */
  nameSuspects(
    leases: readonly Lease[],
    trials: readonly Trial[],
    passed: readonly Trial[],
    alone: boolean,
  ): Promise<void>;
  /**
   * Records the deaths of the owners before, and returns what is known of suspects of these shards. A death counts
   * against suspects that were in progress alone, unless the shard was released.
   */
  judgeSuspects(leases: readonly TakenLease[]): Promise<readonly Suspect[]>;
  /**
   * Puts an open run on hold without reading it, and discards its record as a suspect. False when the lease is not held
   * or the run is not open.
   */
  holdUnread(lease: Lease, runId: string, record: JournalRecord): Promise<boolean>;
  /**
   * Lists the open runs of these shards that were making progress when they were last written, or that are overdue,
   * oldest first.
   */
  listMoving(shards: readonly number[]): Promise<readonly MovingRun[]>;
  /** Lists the open runs of these shards that other runs started. */
  listChildren(shards: readonly number[]): Promise<readonly { readonly runId: string; readonly parentRunId: string }[]>;
  /**
   * Lists the open runs of these shards that are due before `until`, ordered by time and id, starting after `after`; at
   * most `limit`.
   */
  listDue(shards: readonly number[], until: number, after: DueRun | null, limit: number): Promise<readonly DueRun[]>;
  /**
   * Records that a start with this request id was answered with a run that was already open. False when the id is
   * taken.
   */
  keepAnswer(answer: {
    readonly tenantId: string;
    readonly requestId: string;
    readonly requestHash: string;
    readonly runId: string;
  }): Promise<boolean>;
  /** Undoes {@link Journal.keepAnswer}. */
  forgetAnswer(answer: {
    readonly tenantId: string;
    readonly requestId: string;
    readonly runId: string;
  }): Promise<void>;
  findConflict(lookup: StartLookup): Promise<StartConflict | null>;
  /**
   * Reads the transitions that end after a sequence, oldest first: at least one if there is one, at most `limit`, and
   * no more than a few megabytes beyond the first.
   */
  readEvents(
    tenantId: string,
    runId: string,
    afterSequence: number,
    limit: number,
  ): Promise<readonly StoredTransition[] | null>;
}
