/** An entity in memory, with what is decided but not yet durable, and everyone who waits for it. */
import type { LogFields } from "../../base/log.ts";
import type { EntityTypes, Kind, RuntimeEvent } from "./kind.ts";
import { Waits } from "./residence/waits.ts";

/** Resolved when a decision is durable, rejected with the reason if it is not. */
export interface Reply {
  /** Called in the moment when it is durable, before anything follows from it. Must not throw. */
  readonly committed?: () => void;
  /** Called when the event is decided; `changed`: there is something to write. Not called if the entity had ended. */
  readonly decided?: ((changed: boolean) => void) | undefined;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
  /** The sender is not a caller: rejected, the event is not sent again. */
  readonly internal?: boolean | undefined;
}

/** The commit pipeline, as residents see it. */
export interface Pipeline {
  /** Marks the resident as having pending records. */
  touch(resident: Resident): void;
  /** Forgets the pending records of the resident. */
  forget(resident: Resident): void;
}

/** Owner of a resident. */
export interface Home<T extends EntityTypes> {
  /** Removes the resident from memory. Its waiters and watchers are notified and read the journal from then on. */
  drop(resident: Resident<T>): void;
  /**
   * Quarantines the stored header of an unreadable entity, if its shard is ours. Never rejects: the next access tries
   * again.
   */
  quarantineUnread(id: string, cause: Error): Promise<void>;
}

/** Callbacks that depend on the kind. They are methods so that the runtime can treat residents of all kinds alike. */
interface Listeners<T extends EntityTypes> {
  watch(records: readonly T["record"][], firstSequence: number): void;
}

/**
 * Called with committed records; the state may be ahead of them. Without records: the resident is gone, read the
 * journal.
 */
export type Watcher<T extends EntityTypes> = Listeners<T>["watch"];

/** An event of a kind or of the runtime. */
export type EventOf<T extends EntityTypes> = T["event"] | RuntimeEvent;

/** What an entity cannot do while an instance of an older release lives. */
export interface HeldBack<T extends EntityTypes> {
  readonly events: EventOf<T>[];
  /** Its timers and time slices wait too. */
  stopped: boolean;
}

export interface Resident<T extends EntityTypes = EntityTypes> {
  readonly id: string;
  readonly shard: number;
  readonly kind: Kind<T>;
  readonly home: Home<T>;
  readonly pipeline: Pipeline;
  /** Day of creation: the partition of the journal. */
  readonly day: number;
  entity: T["entity"];
  readonly work: T["work"];
  /** Decided, but not yet part of a batch. */
  pending: T["record"][];
  /** Approximate size of the values in the events behind `pending`, characters. */
  pendingSize: number;
  /** Events behind `pending`, decided again if the batch is lost. */
  events: EventOf<T>[];
  replies: Reply[];
  /** Time of the timer in `pending` that must not be early; 0 if there is none. */
  dueAt: number;
  /**
   * Part of a batch in flight: until that is settled, no other batch takes it and nobody reads it from the store.
   */
  committing: boolean;
  /** Replies of its transition there; an event that changes nothing adds its own. */
  committingReplies: Reply[];
  /** The state in memory is in doubt and is being read again. */
  frozen: boolean;
  /** Events to decide once the resident is no longer frozen, or the full transition is durable. */
  backlog: { readonly event: EventOf<T>; reply: Reply | null }[];
  /** What waits until every instance can read it; see held-back.ts. */
  heldBack: HeldBack<T> | null;
  /** A start whose caller was told that the outcome is unknown. */
  abandoned: boolean;
  /** It has a durable record. */
  started: boolean;
  /** Its external work has started here: the entity is new or was taken over. */
  adopted: boolean;
  /** Its owner died: until it makes progress, each of its events is tried alone; see trials.ts. */
  suspect: boolean;
  /** Events that wait for their trial. */
  onTrial: number;
  /** Size of its journal, characters, and the size at which it is held. */
  journalSize: number;
  holdAtSize: number;
  /** Callers that wait for the end. */
  waits: Waits<T>;
  /** Null: nobody has watched it yet. */
  watchers: Set<Watcher<T>> | null;
  timer: NodeJS.Timeout | null;
  /** Removed from memory: do not use. */
  gone: boolean;
  touchedAt: number;
}

/**
 * An entity is held (`limit`) whenever its journal has grown by this many characters; each release allows as much
 * again. Everything in an entity is in memory while it moves.
 */
export const MAX_JOURNAL_SIZE = 67_108_864;

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
    heldBack: null,
    abandoned: false,
    started: kind.rules.sequenceOf(entity) > 0,
    adopted: false,
    suspect: false,
    onTrial: 0,
    journalSize: 0,
    holdAtSize: MAX_JOURNAL_SIZE,
    waits: new Waits(),
    watchers: null,
    timer: null,
    gone: false,
    touchedAt: 0,
  };
}

/** Sets the size of the journal; the next hold is at the next multiple of the limit. */
export function noteSize(resident: Resident, size: number): void {
  resident.journalSize = size;
  resident.holdAtSize = (Math.floor(size / MAX_JOURNAL_SIZE) + 1) * MAX_JOURNAL_SIZE;
}

/**
 * Adds written characters. Returns a hold if the entity has grown too large since the last one, unless it is ending.
 */
export function holdOutgrown(resident: Resident, written: number, at: number): RuntimeEvent | null {
  resident.journalSize += written;
  if (resident.journalSize < resident.holdAtSize) return null;
  noteSize(resident, resident.journalSize);
  if (!resident.kind.rules.canHold(resident.entity)) return null;
  const why = `its journal has ${resident.journalSize} characters; after a release it may grow by ${MAX_JOURNAL_SIZE} more`;
  return { type: "hold", at, hold: "limit", by: "orchestrator", why };
}

/**
 * Most characters of values in one transition. A single event may have more, and its time slice limits what follows
 * from it.
 */
const MAX_TRANSITION_SIZE = 8_388_608;

/** Whether the pending records are enough for one transition: later events wait until it is durable. */
export function isFull(resident: Resident): boolean {
  return resident.pendingSize >= MAX_TRANSITION_SIZE || resident.backlog.length > 0;
}

/** Adds the value in an event to the size of the transition. */
export function weigh<T extends EntityTypes>(resident: Resident<T>, event: EventOf<T>): void {
  resident.pendingSize += resident.kind.rules.sizeOf(event, MAX_TRANSITION_SIZE);
}

/** Removes and returns all replies of the resident, including those of undecided events; the events stay. */
export function takeReplies(resident: Resident): Reply[] {
  const replies = resident.replies.splice(0);
  for (const waiting of resident.backlog) {
    if (waiting.reply !== null) replies.push(waiting.reply);
    waiting.reply = null;
  }
  return replies;
}

/** Whether memory and journal agree, so that the state can be shown. */
export function isClean(resident: Resident): boolean {
  return resident.pending.length === 0 && !resident.committing && !resident.frozen;
}

/**
 * Answers when everything decided so far is durable, and rejects if that is lost or has to wait for the store. Not for
 * residents that were dropped.
 */
export function replyWhenDurable(resident: Resident, reply: Reply): void {
  if (isClean(resident)) reply.resolve();
  else if (resident.pending.length > 0 || resident.frozen) resident.replies.push(reply);
  else resident.committingReplies.push(reply);
}

/** Adds a watcher until it is removed from the resident's set. */
export function watchResident<T extends EntityTypes>(resident: Resident<T>, watcher: Watcher<T>): void {
  resident.watchers ??= new Set();
  resident.watchers.add(watcher);
}

export function isWatched({ watchers }: Resident): boolean {
  return watchers !== null && watchers.size > 0;
}

/** Whether the entity has ended durably. */
export function hasEnded(resident: Resident): boolean {
  return isClean(resident) && resident.kind.rules.hasEnded(resident.entity);
}

/** Fields of a log line about a resident. */
export function logFieldsOf(resident: Resident): LogFields {
  return resident.kind.logFieldsOf(resident.entity);
}

/**
 * A start that depends on something that the store no longer has; for runs, their flow version. It must be repeated.
 */
export class StartOutdated extends Error {
  override readonly name = "StartOutdated";
}

/** A start whose key or id is taken. */
export class StartTaken extends Error {
  override readonly name = "StartTaken";
}
