/**
 * What follows a durable transition: external work starts, timers are set, then callers, watchers, and observers are
 * notified.
 */
import type { Log } from "../../../base/log.ts";
import { failPoint } from "../../../base/process/fail-points.ts";
import type { DatabaseClock } from "../ownership/database-clock.ts";
import type { Timers } from "../residence/timers.ts";
import { holdOutgrown, logFieldsOf, takeReplies } from "../resident.ts";
import type { Decider } from "../submission/decider.ts";
import type { Trials } from "../submission/trials.ts";
import type { Entry } from "./entry.ts";
import type { HeldBackEvents } from "./held-back.ts";

export class Settlement {
  readonly #decider: Decider;
  readonly #timers: Timers;
  readonly #trials: Trials;
  readonly #heldBack: HeldBackEvents;
  readonly #clock: DatabaseClock;
  readonly #log: Log;

  constructor(
    decider: Decider,
    timers: Timers,
    trials: Trials,
    heldBack: HeldBackEvents,
    clock: DatabaseClock,
    log: Log,
  ) {
    this.#decider = decider;
    this.#heldBack = heldBack;
    this.#timers = timers;
    this.#trials = trials;
    this.#clock = clock;
    this.#log = log;
  }

  /** The transition is durable: start its effects. */
  committed(entry: Entry): void {
    const { resident, transition } = entry;
    const { kind } = resident;
    resident.committing = false;
    resident.started = true;
    for (const reply of entry.replies) reply.committed?.();
    entry.isLast = kind.rules.hasEnded(resident.entity) && resident.pending.length === 0;
    try {
      failPoint("effects.before", resident.id);
      // If its shard was lost just after the write, the new owner reads it and performs its effects.
      if (!resident.gone) kind.outside.perform(resident, transition.records, transition.sequence);
    } catch (error) {
      this.#log.error("the effects of a commit failed", { ...logFieldsOf(resident), error });
    }
    const hold = holdOutgrown(resident, transition.json.length, this.#clock.now());
    // Before the events that wait behind a full transition, which make it larger still.
    if (hold !== null) this.#decider.decideNow(resident, hold, null);
    if (entry.isLast) return;
    this.#heldBack.retry(resident);
    this.#timers.arm(resident);
  }

  /** Decides the events that waited behind a full transition. */
  takeBacklog({ resident }: Entry): void {
    this.#decider.takeBacklog(resident);
  }

  /** Once after {@link committed}: notifies observers, watchers, and callers. */
  notify({ resident, transition, replies, isLast }: Entry): void {
    try {
      resident.kind.outside.notify(resident, transition.records, transition.sequence);
      if (resident.watchers !== null)
        for (const watcher of resident.watchers) watcher(transition.records, transition.sequence);
    } catch (error) {
      this.#log.error("the effects of a commit failed", { ...logFieldsOf(resident), error });
    }
    if (isLast) {
      // Events that waited behind a full transition change nothing any more.
      for (const reply of takeReplies(resident)) reply.resolve();
      // Watches have received the last records and need not read the journal for them.
      resident.home.drop(resident);
      this.#trials.clear(resident.kind, resident.id, resident.shard);
    }
    failPoint("answer.before");
    for (const reply of replies) reply.resolve();
    failPoint("answer.after");
  }
}
