/** Decides events: memory moves ahead of the journal, and the commit pipeline has something to write. */
import type { EntityTypes } from "../kind.ts";
import type { WritableFormat } from "../ownership/journal-format.ts";
import { type EventOf, isFull, type Reply, type Resident, replyWhenDurable, weigh } from "../resident.ts";
import type { TimeSlices } from "./time-slices.ts";

/**
 * Called when a decision throws. The resident is ahead of what is pending, and has to be read again. `event` is no
 * longer among its events, and `reply` not among its replies.
 */
export type OnFailure = (resident: Resident, error: unknown, event: EventOf<EntityTypes>, reply: Reply | null) => void;

export class Decider {
  readonly #slices: TimeSlices;
  readonly #format: WritableFormat;
  readonly #onFailure: OnFailure;

  constructor(slices: TimeSlices, format: WritableFormat, onFailure: OnFailure) {
    this.#slices = slices;
    this.#format = format;
    this.#onFailure = onFailure;
  }

  /** Decides an event; `reply` is answered when the result is durable. Behind a full transition the event waits. */
  decide<T extends EntityTypes>(resident: Resident<T>, event: EventOf<T>, reply: Reply | null): void {
    if (isFull(resident) && !resident.gone) resident.backlog.push({ event, reply });
    else this.decideNow(resident, event, reply);
  }

  /** Decides the events that waited behind a full transition, until the next one is full. */
  takeBacklog(resident: Resident): void {
    const { backlog } = resident;
    if (backlog.length > 0) resident.backlog = [];
    for (const { event, reply } of backlog) this.decide(resident, event, reply);
  }

  /** Decides an event, however much is pending. */
  decideNow<T extends EntityTypes>(resident: Resident<T>, event: EventOf<T>, reply: Reply | null): void {
    const { kind } = resident;
    if (resident.gone) {
      reply?.reject(kind.toError("moved", resident.id));
      return;
    }
    if (resident.frozen) {
      resident.backlog.push({ event, reply });
      return;
    }
    resident.touchedAt = event.at;
    const events = resident.events.length;
    const replies = resident.replies.length;
    try {
      this.#take(resident, event, reply);
    } catch (error) {
      resident.events.length = events;
      resident.replies.length = replies;
      this.#onFailure(resident, error, event, reply);
    }
  }

  /** Decides an event and what follows from it at once. */
  #take<T extends EntityTypes>(resident: Resident<T>, event: EventOf<T>, reply: Reply | null): void {
    const { kind } = resident;
    const { rules } = kind;
    // The database compares its clock with the time of the timer. The time of the event may be ahead after the clock
    // was set back.
    const dueAt = event.type === "due" ? rules.nextDueAt(resident.entity) : null;
    const records = rules.advance(resident.entity, event, this.#slices.take());
    this.#format.check(records);
    reply?.decided?.(records.length > 0);
    if (records.length === 0) {
      this.#slices.queue(resident);
      // The event changed nothing, but the state behind that decision may not be durable yet.
      if (reply !== null) replyWhenDurable(resident, reply);
      return;
    }
    // Most transitions have one event, and a growing array reserves space for 17.
    if (resident.pending.length === 0) resident.pending = records;
    else for (const record of records) resident.pending.push(record);
    weigh(resident, event);
    if (resident.events.length === 0) resident.events = [event];
    else resident.events.push(event);
    if (dueAt !== null) resident.dueAt = Math.max(resident.dueAt, dueAt);
    if (reply !== null) {
      if (resident.replies.length === 0) resident.replies = [reply];
      else resident.replies.push(reply);
    }
    resident.pipeline.touch(resident);
    for (const next of kind.outside.follow(resident, records)) this.#take(resident, next, null);
  }
}
