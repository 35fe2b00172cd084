/**
 * The port to the journal: what the engine needs of a store.
 *
 * A batch is one statement: all of it is committed, or nothing. It holds at most one move per run. The fence is part of it: moves of shards whose
 * lease is not held at the given epoch are left out, and the answer says so.
 */

import type { JournalRecord } from "../machine/records.ts";
import type { Lease, TakenLease } from "./leases.ts";
import type { ProjectedRows } from "./projections.ts";
import type { RunHeader } from "./run-index.ts";

/** What a journal holds. */
export type { JournalRecord };

/** Records of one run, or of another entity, that are written together. */
export interface Move {
  readonly runId: string;
  readonly shard: number;
  /** Day of the run's creation, days since 1970. */
  readonly day: number;
  /** Sequence of the first record. */
  readonly sequence: number;
  readonly records: readonly (JournalRecord | { readonly type: string; readonly at: number })[];
  /** `records` as they are written. */
  readonly json: string;
  readonly at: number;
  /** The move is a timer that fires at this time; it is refused when the database's clock is not there yet. 0: none. */
  readonly dueAt: number;
  /** The run is new and this is its header. */
  readonly start: StartRow | null;
  /** The header changes to this; null: it stays. */
  readonly header: HeaderRow | null;
  /** Rows of the projections that the records touch; mostly none. */
  readonly rows: readonly ProjectedRows[];
}

/** Header of a new run. */
export interface StartRow extends Omit<RunHeader, "endedAt"> {
  readonly endedAt: number | null;
  readonly parentTask: string;
  readonly moving: boolean;
  readonly wakeAt: number | null;
  /** Keys that start at most one run: `request`, `run`. In order: each is written only if the one before was free. */
  readonly keys: readonly { readonly kind: "request" | "run"; readonly key: string; readonly hash: string }[];
}

/** Changed header of a run. */
export interface HeaderRow {
  readonly state: string;
  /** The run does something by itself, see `isMoving`. */
  readonly moving: boolean;
  readonly sequence: number;
  readonly wakeAt: number | null;
  readonly updatedAt: number;
  readonly endedAt: number | null;
}

/** Answer to a batch. */
export interface CommitResult {
  /** Database clock, milliseconds. */
  readonly now: number;
  /** Runs whose moves were not written; empty when all were. */
  readonly refused: readonly Refusal[];
}

/** Why a move was not written: the shard is no longer ours, the start's key or id was taken, its flow version is gone, the timer was early. */
export interface Refusal {
  readonly runId: string;
  readonly why: "fenced" | "taken" | "gone" | "early";
}

/**
 * How a commit failed. `data`: a row of the batch is bad, nothing was written. `gone`: the flow version of a start is not registered any more, or has
 * other content by now; nothing was written. `slow`: it was too much for the time or the memory there is, nothing was written.
 * `failed`: nothing was written for another reason. `unknown`: it may have been written.
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

/** A run as the store has it. */
export interface StoredRun {
  readonly runId: string;
  readonly shard: number;
  readonly day: number;
  readonly header: RunHeader;
  /** As the header says: it did something by itself when it was last written. */
  readonly moving: boolean;
  readonly wakeAt: number | null;
  readonly records: readonly JournalRecord[];
  /** Size of the records as they are written, characters. */
  readonly size: number;
}

/** A move as the store has it. */
export interface StoredMove {
  readonly sequence: number;
  /** How many records there are. */
  readonly count: number;
  readonly records: readonly JournalRecord[];
  /** Size of the records as they are written, characters. */
  readonly size: number;
}

/** A run whose timer comes. */
export interface DueRun {
  readonly runId: string;
  /** Milliseconds since the epoch, with the fractions that the store keeps. */
  readonly wakeAt: number;
}

/** Key that a start may have been made with before. */
export interface StartLookup {
  readonly tenantId: string;
  readonly requestId: string;
  readonly runId: string;
  readonly flowId: string;
  readonly runKey: string;
}

/** Run that a start collided with. */
export interface StartConflict {
  readonly by: "request" | "run" | "run_key";
  readonly runId: string;
  readonly requestHash: string;
}

/** One line of work to the store: batches go one after the other. */
export interface JournalLane {
  /** Throws {@link CommitError}. After all but `data` the lane has dropped its connection and makes a new one. */
  commit(leases: readonly Lease[], moves: readonly Move[]): Promise<CommitResult>;
  close(): Promise<void>;
}

/** A run that a takeover looks at. */
export interface MovingRun {
  readonly runId: string;
  /** False: it only waits, and its time has passed. */
  readonly moving: boolean;
}

/** What a suspect is tried with: taking it over, or one of its events. Deaths count against the pair. */
export interface Trial {
  readonly runId: string;
  readonly shard: number;
  /** `takeover`, or the type of the event and its task. */
  readonly moment: string;
}

/** A run that was in hand, or among few that were, when an owner of its shard died. */
export interface Suspect extends Trial {
  /** Owners in a row that died while they had this run, alone, in hand at this moment. */
  readonly deaths: number;
  /** The watchdog saw the event loop stand still in this run. */
  readonly blocked: boolean;
}

/** A run that was ended unread. */
export interface EndedUnread {
  /** Of the record that ended it. */
  readonly sequence: number;
  /** The task that waits for it; null when no run started it. */
  readonly parent: { readonly runId: string; readonly task: string } | null;
}

/** The store behind the engine. */
export interface Journal {
  openLane(name: string): Promise<JournalLane>;
  /** The run with all its records; null when there is none. */
  loadRun(runId: string): Promise<StoredRun | null>;
  /** The header alone: for runs whose journal cannot be read. */
  findHeader(runId: string): Promise<RunHeader | null>;
  /** Deletes an ended run with all that it holds and leaves a tombstone, in one statement. `related`: it, its parent or a child of it is open. */
  deleteRun(lease: Lease, tenantId: string, runId: string): Promise<"deleted" | "fenced" | "related">;
  /** When a run of the tenant was deleted, milliseconds; null when it was not, 0 when that is damaged. */
  findDeleted(tenantId: string, runId: string): Promise<number | null>;
  /** Takes a run that cannot be read out of what moves and wakes: its header says QUARANTINED. False when the lease is not held, the run is not open, or it was set aside before. */
  setAside(lease: Lease, runId: string): Promise<boolean>;
  /** Ends an open run without reading it. Null when the lease is not held or the run is not open. */
  endUnread(lease: Lease, runId: string, record: JournalRecord): Promise<EndedUnread | null>;
  /**
   * Says durably that `trials` are in hand from now on, and that `passed` ones have come through: an empty moment is every moment of the run. `alone`: there is
   * one, and nothing else is in hand. Shards whose leases are not held are left out.
   */
  nameSuspects(
    leases: readonly Lease[],
    trials: readonly Trial[],
    passed: readonly Trial[],
    alone: boolean,
  ): Promise<void>;
  /** What is known of suspects of these shards, from owners before. A death counts against those that were in hand alone, unless the shard was given back. */
  judgeSuspects(leases: readonly TakenLease[]): Promise<readonly Suspect[]>;
  /** Puts an open run on a hold without reading it, and forgets what was known of it as a suspect. False when the lease is not held or the run is not open. */
  holdUnread(lease: Lease, runId: string, record: JournalRecord): Promise<boolean>;
  /** Open runs of these shards that were moving when they were last written, or whose time has passed, oldest first. */
  listMoving(shards: readonly number[]): Promise<readonly MovingRun[]>;
  /** Open runs of these shards that other runs started. */
  listChildren(shards: readonly number[]): Promise<readonly { readonly runId: string; readonly parentRunId: string }[]>;
  /** Open runs of these shards that are due before `until`, by time and id, from the one behind `after`; at most `limit`. */
  listDue(shards: readonly number[], until: number, after: DueRun | null, limit: number): Promise<readonly DueRun[]>;
  /** Keeps that a start with this request id was answered with a run that was open before. False when the id is taken. */
  keepAnswer(answer: {
    readonly tenantId: string;
    readonly requestId: string;
    readonly requestHash: string;
    readonly runId: string;
  }): Promise<boolean>;
  /** Takes back {@link Journal.keepAnswer}. */
  forgetAnswer(answer: {
    readonly tenantId: string;
    readonly requestId: string;
    readonly runId: string;
  }): Promise<void>;
  findConflict(lookup: StartLookup): Promise<StartConflict | null>;
  /** Moves that end after a sequence, oldest first: at least one if there is one, at most `limit`, and no more than a few megabytes beyond the first. */
  readEvents(
    tenantId: string,
    runId: string,
    afterSequence: number,
    limit: number,
  ): Promise<readonly StoredMove[] | null>;
}
