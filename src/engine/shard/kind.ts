/**
 * What the shard runtime needs from a kind of entity: how records are folded and events decided, what is written, and
 * its effects.
 *
 * The runtime owns shards, keeps entities in memory, commits their transitions in groups, and recovers them after a
 * takeover. It never looks into an entity, event, or record. A new kind implements {@link Kind} and is added with
 * `Runtime.addKind`; see docs/adr/0044.
 */
import type { OrchestratorError } from "../../base/errors.ts";
import type { LogFields } from "../../base/log.ts";
import type { Transition } from "../ports/journal.ts";
import type { Lease, TakenLease } from "../ports/leases.ts";
import type { ProjectedRows } from "../ports/projections.ts";
import type { Resident } from "./resident.ts";
import type { TimeSlice } from "./submission/time-slices.ts";

/** A durable fact about an entity. */
export interface EntityRecord {
  readonly type: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

/** Something that happens to an entity. */
export interface EntityEvent {
  readonly type: string;
  /** Now, milliseconds since the epoch, no earlier than the database's clock. */
  readonly at: number;
}

/** Events from the runtime itself. Every kind accepts them; for an event that does not apply it makes no records. */
export type RuntimeEvent =
  /** The earliest due timer fires. `by`: now, no later than the database's clock. `random` is in [0, 1). */
  | { readonly type: "due"; readonly at: number; readonly by?: number; readonly random: number }
  /** The entity continues after it used up its time slice. */
  | { readonly type: "continue"; readonly at: number }
  /** A new owner took the entity over; `clean`: the previous owner gave it back in an orderly way. */
  | { readonly type: "recover"; readonly at: number; readonly clean: boolean }
  /** The runtime cannot continue with the entity (`quarantine`), or it has grown too large (`limit`). */
  | {
      readonly type: "hold";
      readonly at: number;
      readonly hold: "quarantine" | "limit";
      readonly by: string;
      readonly why: string;
    };

/** A stored entity. */
export interface StoredEntity {
  readonly day: number;
  readonly records: readonly EntityRecord[];
  /** Sequence of the last record; 0 if there is none. */
  readonly sequence: number;
  /** Size of the stored records, characters. */
  readonly size: number;
  /** When last written, the entity was not merely waiting. */
  readonly moving: boolean;
}

/** The types of a kind. */
export interface EntityTypes {
  /** The state in memory, with what is derived from it. */
  readonly entity: unknown;
  readonly event: EntityEvent;
  readonly record: EntityRecord;
  readonly stored: StoredEntity;
  /** What the kind keeps besides the state: work in progress, and what lists show. */
  readonly work: unknown;
}

/** Why an entity cannot be used. */
export type Trouble = "moved" | "missing" | "unreadable" | "quarantined";

/** A kind of entity. It keeps state per entity only in {@link Resident.entity} and {@link Resident.work}. */
export interface Kind<T extends EntityTypes = EntityTypes> {
  /** Singular name for the log: `run`. */
  readonly name: string;
  readonly rules: Rules<T>;
  readonly store: EntityStore<T>;
  readonly outside: Outside<T>;
  /**
   * Entities that may have killed their owner; null if entities of this kind run no user code and are never suspected.
   */
  readonly suspects: SuspectStore | null;
  /** Projected rows of the pending records. Throws if they cannot be made; then the transition is abandoned. */
  rowsOf(resident: Resident<T>): readonly ProjectedRows[];
  /**
   * The transition of everything pending in `resident`, with its records as JSON and its rows. Records what lists show
   * from then on.
   */
  write(resident: Resident<T>, json: string, rows: readonly ProjectedRows[]): Transition;
  /** The error that callers get. */
  toError(trouble: Trouble, id: string, why?: string, cause?: unknown): OrchestratorError;
  logFieldsOf(entity: T["entity"]): LogFields;
}

/** The pure part: no clock, no randomness, no I/O. */
export interface Rules<T extends EntityTypes = EntityTypes> {
  /**
   * Decides `event` and returns the records in order. They are applied to the entity, so memory is ahead of the
   * journal. Uses up `slice`.
   */
  advance(entity: T["entity"], event: T["event"] | RuntimeEvent, slice: TimeSlice): T["record"][];
  /** The entity before its first record. */
  reset(entity: T["entity"]): T["entity"];
  /** Sequence of the last record; 0 if there is none. */
  sequenceOf(entity: T["entity"]): number;
  /** Time of the earliest timer, milliseconds since the epoch; null if there is none. */
  nextDueAt(entity: T["entity"]): number | null;
  hasEnded(entity: T["entity"]): boolean;
  /** The entity used up its time slice and has more to do. */
  isUnsettled(entity: T["entity"]): boolean;
  setUnsettled(entity: T["entity"], unsettled: boolean): void;
  /** Nothing happens to the entity before its next timer or an event from outside, so it can leave memory. */
  canRest(entity: T["entity"]): boolean;
  /** The entity made progress since it was taken over from a dead owner. */
  hasProgressed(entity: T["entity"]): boolean;
  /** The start is committed whatever its callers were told, because another entity waits for it. */
  mustStart(entity: T["entity"]): boolean;
  /** The entity can be held when it has grown too large. */
  canHold(entity: T["entity"]): boolean;
  /** Approximate size of the values in an event, characters, at most `most`. */
  sizeOf(event: T["event"] | RuntimeEvent, most: number): number;
  /** Names the moment of an event: deaths are counted by entity and moment. */
  momentOf(event: T["event"] | RuntimeEvent): string;
}

/**
 * Reads stored entities, and changes those that cannot be read. Reads throw the kind's error for `unreadable` if an
 * entity is damaged.
 */
export interface EntityStore<T extends EntityTypes = EntityTypes> {
  /** Null if there is none. */
  load(id: string): Promise<T["stored"] | null>;
  /** Folds a stored entity. */
  open(stored: T["stored"]): Promise<T["entity"]>;
  isUnreadable(error: unknown): boolean;
  /** Open entities of these shards that were moving when last written or whose timer has passed, oldest first. */
  listMoving(shards: readonly number[]): Promise<readonly { readonly id: string; readonly moving: boolean }[]>;
  /** Open entities of these shards that are due before `until`, by time and id, starting after `after`. */
  listDue(
    shards: readonly number[],
    until: number,
    after: DueEntity | null,
    limit: number,
  ): Promise<readonly DueEntity[]>;
  /**
   * Removes an unreadable entity from both lists, or marks it. `why` is the error message. False if the lease is not
   * held or nothing changed.
   */
  quarantine(lease: Lease, id: string, why: string): Promise<boolean>;
}

/** An entity whose timer is due. */
export interface DueEntity {
  readonly id: string;
  readonly wakeAt: number;
}

/**
 * Effects of an entity once its records are durable. All methods except {@link Outside.begun} and {@link
 * Outside.afterTakeover} are synchronous.
 */
export interface Outside<T extends EntityTypes = EntityTypes> {
  createWork(): T["work"];
  /** The entity was read from the store; `again`: it was in memory before, but in doubt. */
  opened(resident: Resident<T>, stored: T["stored"], again: boolean): void;
  /**
   * Returns events that join the transition of `records`: what can begin at once. Called before the commit, and again
   * for the same records when a commit failed.
   */
  follow(resident: Resident<T>, records: readonly T["record"][]): readonly T["event"][];
  /** Starts and ends what `records` ask for. Called once per commit, in order, before callers are answered. */
  perform(resident: Resident<T>, records: readonly T["record"][], firstSequence: number): void;
  /** Notifies observers of the kind, after {@link Outside.perform}. The state may be ahead of the records. */
  notify(resident: Resident<T>, records: readonly T["record"][], firstSequence: number): void;
  /** A new owner has decided the `recover` event of the entity: start what no record asks for. */
  recovered(resident: Resident<T>): void;
  /** Resolves when work that the entity started elsewhere on its shard is in progress, or after a limit. */
  begun(resident: Resident<T>): Promise<void>;
  /** The entity leaves memory: end its work here. */
  stop(resident: Resident<T>): void;
  /** The entity is in memory no more, whether it rests, has ended, or its shard is lost; absent: nothing to do. */
  left?(resident: Resident<T>): void;
  /** Number of external calls in progress; a drain waits for them. */
  callsOf(resident: Resident<T>): number;
  /** Work is in progress here, so the entity stays in memory. */
  isBusy(resident: Resident<T>): boolean;
  /** All entities of shards that were taken over have been recovered. */
  afterTakeover(shards: readonly number[]): Promise<void>;
  /** An entity was quarantined without being read. */
  quarantined(id: string, reason: QuarantineReason): void;
}

/**
 * Why an entity is quarantined unread: it cannot be read, its owners died while it was in progress, or it blocked the
 * event loop of its owner. An unreadable entity gets no record of this until it can be read.
 */
export type QuarantineReason = "UNREADABLE" | "KILLED" | "BLOCKED";

/** What a suspect is tried with: its takeover or one of its events. Deaths are counted by this pair. */
export interface Trial {
  readonly id: string;
  readonly shard: number;
  readonly moment: string;
}

/** An entity that was in progress, alone or with a few others, when an owner of its shard died. */
export interface Suspect extends Trial {
  /** Owners in a row that died while only this entity was in progress, at this moment. */
  readonly deaths: number;
  /** Owners that died recently without an entity that accounts for it; see `Suspect.unexplained` of the journal. */
  readonly unexplained: number;
  /** The watchdog found the event loop blocked by this entity. */
  readonly blocked: boolean;
}

/** Stored suspects of a kind. */
export interface SuspectStore {
  /** Stores durably that `trials` are in progress and `passed` ones succeeded; see `Journal.nameSuspects`. */
  name(leases: readonly Lease[], trials: readonly Trial[], passed: readonly Trial[], alone: boolean): Promise<void>;
  judge(leases: readonly TakenLease[]): Promise<readonly Suspect[]>;
  /** Holds an open entity without reading it. False if the lease is not held or the entity is not open. */
  hold(lease: Lease, id: string, at: number, why: string): Promise<boolean>;
}
