/** An entity in memory, with what is decided but not yet durable, and everybody who waits for it. */
import type { LogFields } from "../../base/log.ts";
import type { EntityTypes, Kind, RuntimeEvent } from "./kind.ts";

/** Called when what was decided is durable, or with the reason why it is not. */
export interface Reply {
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** The commit pipeline of a resident. */
export interface Pipeline {
  readonly index: number;
  /** The resident has something pending. */
  touch(resident: Resident): void;
  /** Forgets what the resident has pending. */
  forget(resident: Resident): void;
}

/** Where a resident lives. */
export interface Home<T extends EntityTypes> {
  /** Takes the resident out of memory. Its waiters and watchers are notified and read the journal from then on. */
  drop(resident: Resident<T>): void;
  /**
   * Puts the stored header of an entity that cannot be read into quarantine, if its shard is ours. Never rejects: the
   * next touch tries again.
   */
  quarantineUnread(id: string, cause: Error): Promise<void>;
}

/**
 * Functions that are called with what belongs to a kind. As methods, so that the runtime can handle residents of all
 * kinds alike.
 */
interface Listeners<T extends EntityTypes> {
  watch(records: readonly T["record"][], firstSequence: number): void;
  wake(resident: Resident<T> | null): void;
}

/**
 * Called with committed records; the state may be ahead of them. Without records: the resident is gone, the journal
 * must be read.
 */
export type Watcher<T extends EntityTypes> = Listeners<T>["watch"];

/**
 * Called when an entity has ended or left this instance, with the resident that it had; null: the time to wait is over
 * and it has none.
 */
export type Waiter<T extends EntityTypes> = Listeners<T>["wake"];

/** An event of a kind, or one of the runtime. */
export type EventOf<T extends EntityTypes> = T["event"] | RuntimeEvent;

/** An entity in memory. */
export interface Resident<T extends EntityTypes = EntityTypes> {
  readonly id: string;
  readonly shard: number;
  readonly kind: Kind<T>;
  readonly home: Home<T>;
  readonly pipeline: Pipeline;
  /** Day of creation: partition of the journal. */
  readonly day: number;
  entity: T["entity"];
  readonly work: T["work"];
  /** Decided, not yet part of a batch. */
  pending: T["record"][];
  /** About how many characters the values have that came with the events behind `pending`. */
  pendingSize: number;
  /** The events that made `pending`, to be decided again should the batch be lost. */
  events: EventOf<T>[];
  replies: Reply[];
  /** Time of the timer in `pending` that may not be early; 0: none. */
  dueAt: number;
  /** Part of the batch that is being committed. */
  committing: boolean;
  /** Replies of that batch; an event that changes nothing adds its own. */
  committingReplies: Reply[];
  /** Its state in memory is in doubt and is being read again. */
  frozen: boolean;
  /** Events to decide when the resident is no longer frozen, or when the transition that is full is durable. */
  backlog: { readonly event: EventOf<T>; reply: Reply | null }[];
  /** A start whose caller was told that its outcome is unknown. */
  abandoned: boolean;
  /** It has a record that is durable. */
  started: boolean;
  /** Its outside work is done here: it began here, or was taken over. */
  adopted: boolean;
  /** Its owner died with it: until it has made progress, each of its events is tried alone; see trials.ts. */
  suspect: boolean;
  /** Events that wait for their trial. */
  onTrial: number;
  /** Size of its journal, characters, and the size at which it is held. */
  journalSize: number;
  holdAtSize: number;
  /** Those who wait for the end. The set goes along when the entity is evicted, and comes back with it. */
  waiters: Set<Waiter<T>>;
  readonly watchers: Set<Watcher<T>>;
  timer: NodeJS.Timeout | null;
  /** Dropped from memory: not to be used any more. */
  gone: boolean;
  touchedAt: number;
}

/**
 * An entity whose journal has grown by this many characters since the last time is held (`limit`); each release lets it
 * grow by as much again. Everything that an entity holds is in memory while it moves.
 */
export const MAX_JOURNAL_SIZE = 67_108_864;

/** What a resident is made of. */
export interface ResidentParts<T extends EntityTypes> {
  readonly id: string;
  readonly shard: number;
  readonly kind: Kind<T>;
  readonly home: Home<T>;
  readonly pipeline: Pipeline;
  readonly day: number;
  readonly entity: T["entity"];
}

/** A resident with nothing pending. */
export function createResident<T extends EntityTypes>(parts: ResidentParts<T>): Resident<T> {
  const { kind, entity } = parts;
  return {
    id: parts.id,
    shard: parts.shard,
    kind,
    home: parts.home,
    pipeline: parts.pipeline,
    day: parts.day,
    entity,
    work: kind.outside.createWork(),
    pending: [],
    pendingSize: 0,
    events: [],
    replies: [],
    dueAt: 0,
    committing: false,
    committingReplies: [],
    frozen: false,
    backlog: [],
    abandoned: false,
    started: kind.rules.sequenceOf(entity) > 0,
    adopted: false,
    suspect: false,
    onTrial: 0,
    journalSize: 0,
    holdAtSize: MAX_JOURNAL_SIZE,
    waiters: new Set(),
    watchers: new Set(),
    timer: null,
    gone: false,
    touchedAt: 0,
  };
}

/** Notes how large the journal of an entity is; the next hold is at the next multiple of the limit. */
export function noteSize(resident: Resident, size: number): void {
  resident.journalSize = size;
  resident.holdAtSize = (Math.floor(size / MAX_JOURNAL_SIZE) + 1) * MAX_JOURNAL_SIZE;
}

/**
 * Counts what was written. Returns the hold of an entity that has grown too large since it was last counted, unless it
 * is ending.
 */
export function holdOutgrown(resident: Resident, written: number, at: number): RuntimeEvent | null {
  resident.journalSize += written;
  if (resident.journalSize < resident.holdAtSize) return null;
  noteSize(resident, resident.journalSize);
  if (!resident.kind.rules.canHold(resident.entity)) return null;
  const why = `its journal has ${resident.journalSize} characters; released, it may grow by ${MAX_JOURNAL_SIZE} more`;
  return { type: "hold", at, hold: "limit", by: "orchestrator", why };
}

/**
 * Values in one transition, characters. A single event may have more, and what follows from it is bounded by its time
 * slice.
 */
const MAX_TRANSITION_SIZE = 8_388_608;

/** True when what is pending is enough for one transition: events that come now wait until it is durable. */
export function isFull(resident: Resident): boolean {
  return resident.pendingSize >= MAX_TRANSITION_SIZE || resident.backlog.length > 0;
}

/** Counts the value that comes with an event into the transition under construction. */
export function weigh<T extends EntityTypes>(resident: Resident<T>, event: EventOf<T>): void {
  resident.pendingSize += resident.kind.rules.sizeOf(event, MAX_TRANSITION_SIZE);
}

/** Takes all who wait for the resident, those whose events are not decided yet included; the events stay. */
export function takeReplies(resident: Resident): Reply[] {
  const replies = resident.replies.splice(0);
  for (const waiting of resident.backlog) {
    if (waiting.reply !== null) replies.push(waiting.reply);
    waiting.reply = null;
  }
  return replies;
}

/** True when memory and journal say the same: the state may be shown. */
export function isClean(resident: Resident): boolean {
  return resident.pending.length === 0 && !resident.committing && !resident.frozen;
}

/** True when the entity has ended and that is durable. */
export function hasEnded(resident: Resident): boolean {
  return isClean(resident) && resident.kind.rules.hasEnded(resident.entity);
}

/** Fields of a log line about a resident. */
export function logFieldsOf(resident: Resident): LogFields {
  return resident.kind.logFieldsOf(resident.entity);
}

/**
 * A start that was made from something that the store does not have any more; for runs, their flow version. It must be
 * made anew.
 */
export class StartOutdated extends Error {
  override readonly name = "StartOutdated";
}

/** A start that collided with a key or id that is taken. */
export class StartTaken extends Error {
  override readonly name = "StartTaken";
}
