/**
 * What the shard runtime needs of a kind of entity: how its records are folded and its events decided, what it writes,
 * and what it does outside of memory.
 *
 * The runtime owns shards, keeps entities in memory, commits what they decide in groups, and recovers them after a
 * takeover. It never looks into an entity, an event, or a record of a kind. A new kind implements {@link Kind} and is
 * added with `Runtime.addKind`; see docs/adr/0044.
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

/**
 * Events that the runtime itself gives to entities. Every kind takes them; one that has no use for an event makes no
 * records of it.
 */
export type RuntimeEvent =
  /** The earliest timer that is due fires. `by`: now, no later than the database's clock. `random` is in [0, 1). */
  | { readonly type: "due"; readonly at: number; readonly by?: number; readonly random: number }
  /** The entity used up its time slice and goes on. */
  | { readonly type: "continue"; readonly at: number }
  /** A new owner took the entity over; `clean`: the owner before gave it back in good order. */
  | { readonly type: "recover"; readonly at: number; readonly clean: boolean }
  /** The runtime cannot go on with the entity (`quarantine`), or it has grown too large (`limit`). */
  | {
      readonly type: "hold";
      readonly at: number;
      readonly hold: "quarantine" | "limit";
      readonly by: string;
      readonly why: string;
    };

/** An entity as the store has it. */
export interface StoredEntity {
  readonly day: number;
  readonly records: readonly EntityRecord[];
  /** Size of the records as they are written, characters. */
  readonly size: number;
  /** The entity did something without waiting when it was last written. */
  readonly moving: boolean;
}

/** The types of a kind. */
export interface EntityTypes {
  /** The state in memory, with what is derived from it. */
  readonly entity: unknown;
  readonly event: EntityEvent;
  readonly record: EntityRecord;
  readonly stored: StoredEntity;
  /** What the kind keeps beside the state: work under way, what was last written to lists. */
  readonly work: unknown;
}

/** Why an entity cannot be used. */
export type Trouble = "moved" | "missing" | "unreadable" | "quarantined";

/**
 * A kind of entity. Implementations hold no state per entity but what they keep in {@link Resident.entity} and {@link
 * Resident.work}.
 */
export interface Kind<T extends EntityTypes = EntityTypes> {
  /** Singular, for log lines: `run`. */
  readonly name: string;
  readonly rules: Rules<T>;
  readonly store: EntityStore<T>;
  readonly outside: Outside<T>;
  /**
   * Entities that may have killed their owner; null when entities of this kind run nothing of a user and are never
   * suspected.
   */
  readonly suspects: SuspectStore | null;
  /**
   * Rows that the pending records write beside the journal. Throws when they cannot be made: the transition is then
   * given up.
   */
  rowsOf(resident: Resident<T>): readonly ProjectedRows[];
  /**
   * Everything that is pending in `resident`, with its records as JSON and its rows, as it is committed. Notes what
   * lists show from then on.
   */
  write(resident: Resident<T>, json: string, rows: readonly ProjectedRows[]): Transition;
  /** The error that callers get. */
  toError(trouble: Trouble, id: string, why?: string, cause?: unknown): OrchestratorError;
  logFieldsOf(entity: T["entity"]): LogFields;
}

/** The pure part: no clock, no randomness, no I/O. */
export interface Rules<T extends EntityTypes = EntityTypes> {
  /**
   * Records that come of `event`, in order; the entity has absorbed them, so memory is ahead of the journal. Takes what
   * it uses from `slice`.
   */
  advance(entity: T["entity"], event: T["event"] | RuntimeEvent, slice: TimeSlice): T["record"][];
  /** The entity before its first record. */
  reset(entity: T["entity"]): T["entity"];
  /** Sequence of the last record; 0: none. */
  sequenceOf(entity: T["entity"]): number;
  /** Time of its earliest timer, milliseconds since the epoch; null: none. */
  nextDueAt(entity: T["entity"]): number | null;
  hasEnded(entity: T["entity"]): boolean;
  /** It used up its time slice and has more to do. */
  isUnsettled(entity: T["entity"]): boolean;
  setUnsettled(entity: T["entity"], unsettled: boolean): void;
  /** Nothing happens to it until its next timer or until somebody outside has something for it: it may leave memory. */
  canRest(entity: T["entity"]): boolean;
  /** It made progress since it was taken over from a dead owner. */
  hasProgressed(entity: T["entity"]): boolean;
  /** Its start is made whatever its callers were told, because another entity waits for it. */
  mustStart(entity: T["entity"]): boolean;
  /** May be held when it has grown too large. */
  canHold(entity: T["entity"]): boolean;
  /** About how many characters of values come with an event, at most `most`. */
  sizeOf(event: T["event"] | RuntimeEvent, most: number): number;
  /** Names the moment at which an entity takes an event: deaths count against entity and moment. */
  momentOf(event: T["event"] | RuntimeEvent): string;
}

/** Reads and unread changes of stored entities. Reads throw {@link Trouble} `unreadable` for what is damaged. */
export interface EntityStore<T extends EntityTypes = EntityTypes> {
  /** Null when there is none. */
  load(id: string): Promise<T["stored"] | null>;
  /** Folds what was loaded. */
  open(stored: T["stored"]): Promise<T["entity"]>;
  isUnreadable(error: unknown): boolean;
  /**
   * Open entities of these shards that were moving when they were last written, or whose time has passed, oldest first.
   */
  listMoving(shards: readonly number[]): Promise<readonly { readonly id: string; readonly moving: boolean }[]>;
  /** Open entities of these shards that are due before `until`, by time and id, from the one after `after`. */
  listDue(
    shards: readonly number[],
    until: number,
    after: DueEntity | null,
    limit: number,
  ): Promise<readonly DueEntity[]>;
  /**
   * Takes an entity that cannot be read out of both lists, or marks it. `why` is the message of the error. False when
   * the lease is not held or there was nothing to do.
   */
  quarantine(lease: Lease, id: string, why: string): Promise<boolean>;
}

/** An entity whose timer comes. */
export interface DueEntity {
  readonly id: string;
  readonly wakeAt: number;
}

/**
 * What an entity does outside of memory once its records are durable. All but {@link Outside.begun} and {@link
 * Outside.afterTakeover} are synchronous.
 */
export interface Outside<T extends EntityTypes = EntityTypes> {
  createWork(): T["work"];
  /** The entity was read from the store; `again`: it was in memory before, and memory was in doubt. */
  opened(resident: Resident<T>, stored: T["stored"], again: boolean): void;
  /** Begins and ends what `records` ask for. Once per commit, in order, before callers are answered. */
  perform(resident: Resident<T>, records: readonly T["record"][], firstSequence: number): void;
  /** Tells observers of the kind. After {@link Outside.perform}; the state may be ahead of the records. */
  notify(resident: Resident<T>, records: readonly T["record"][], firstSequence: number): void;
  /** A new owner recovers the entity, and its `recover` event is decided: begins what no record asks for. */
  recovered(resident: Resident<T>): void;
  /** Resolves when what the entity has set in motion elsewhere on its shard is under way, or that takes too long. */
  begun(resident: Resident<T>): Promise<void>;
  /** The entity leaves memory: ends its work here. */
  stop(resident: Resident<T>): void;
  /** Calls to the outside that are under way; a drain waits for them. */
  callsOf(resident: Resident<T>): number;
  /** Something is under way here, so the entity stays in memory. */
  isBusy(resident: Resident<T>): boolean;
  /** Once all entities of shards that were taken over have been recovered. */
  afterTakeover(shards: readonly number[]): Promise<void>;
  /** An entity was put into quarantine without being read. */
  quarantined(id: string, reason: QuarantineReason): void;
}

/**
 * Why an entity is put into quarantine unread: it cannot be read, its owners died while it was in progress, or the
 * event loop of its owner stood still in it. Of the first no record says so until somebody can read it.
 */
export type QuarantineReason = "UNREADABLE" | "KILLED" | "BLOCKED";

/** What a suspect is tried with: its takeover, or one of its events. Deaths count against the pair. */
export interface Trial {
  readonly id: string;
  readonly shard: number;
  readonly moment: string;
}

/** An entity that was in progress, or one of a few that were, when an owner of its shard died. */
export interface Suspect extends Trial {
  /** Owners in a row that died while this entity alone was in progress at this moment. */
  readonly deaths: number;
  /** The watchdog saw the event loop stand still in this entity. */
  readonly blocked: boolean;
}

/** What the store knows of suspects of a kind. */
export interface SuspectStore {
  /**
   * Says durably that `trials` are in progress and that `passed` ones have come through; see `Journal.nameSuspects`.
   */
  name(leases: readonly Lease[], trials: readonly Trial[], passed: readonly Trial[], alone: boolean): Promise<void>;
  judge(leases: readonly TakenLease[]): Promise<readonly Suspect[]>;
  /** Holds an open entity without reading it. False when the lease is not held or it is not open. */
  hold(lease: Lease, id: string, at: number, why: string): Promise<boolean>;
}
