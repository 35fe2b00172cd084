/**
 * Recovery of entities after a takeover, and suspects in memory: until one has made progress, each of its events is
 * tried alone. See trials.ts.
 */
import type { EntityTypes } from "../kind.ts";
import type { DatabaseClock } from "../ownership/database-clock.ts";
import type { Timers } from "../residence/timers.ts";
import { type EventOf, hasEnded, isClean, type Reply, type Resident } from "../resident.ts";
import type { Decider } from "./decider.ts";
import type { Trials } from "./trials.ts";

/** Tries the events of suspects. */
export class Probation {
  readonly #trials: Trials;
  readonly #decider: Decider;
  readonly #timers: Timers;
  readonly #clock: DatabaseClock;

  constructor(trials: Trials, decider: Decider, timers: Timers, clock: DatabaseClock) {
    this.#trials = trials;
    this.#decider = decider;
    this.#timers = timers;
    this.#clock = clock;
  }

  /** Queues an event of a suspect for its trial. `reply` is answered when the outcome is durable. */
  tryEvent<T extends EntityTypes>(resident: Resident<T>, event: EventOf<T>, reply: Reply | null): void {
    const { id, shard, kind } = resident;
    resident.onTrial += 1;
    const work = async (): Promise<void> => {
      // The entity ended while the event waited, so the event changes nothing.
      if (resident.gone && hasEnded(resident)) return reply?.resolve();
      const decided = this.#decided(resident, event, { internal: reply === null, decided: reply?.decided });
      await decided.then(reply?.resolve, reply?.reject ?? (() => {}));
      await kind.outside.begun(resident);
    };
    void this.#trials.add(kind, { id, shard, moment: kind.rules.momentOf(event) }, work).then(() => {
      resident.onTrial -= 1;
      // Until the queued events are tried, new ones have to queue behind them.
      if (resident.onTrial > 0 || resident.gone) return;
      if (kind.rules.hasProgressed(resident.entity)) {
        resident.suspect = false;
        this.#trials.clear(kind, id, shard);
      }
      if (isClean(resident)) this.#timers.arm(resident);
    });
  }

  /**
   * Restarts what should be under way and is not, such as tool calls and child runs. `clean`: the former owner gave the
   * entity up in good order. Resolves when that is durable, or when it cannot be written here.
   */
  async recover<T extends EntityTypes>(resident: Resident<T>, clean: boolean): Promise<void> {
    resident.adopted = true;
    const recovered = this.#decided(resident, { type: "recover", at: this.#clock.now(), clean }, { internal: true });
    resident.kind.outside.recovered(resident);
    // If it could not be written, the entity has another owner by now, or waits for an upgrade to end.
    await recovered.catch(() => {});
  }

  #decided<T extends EntityTypes>(
    resident: Resident<T>,
    event: EventOf<T>,
    { internal, decided }: Pick<Reply, "internal" | "decided">,
  ): Promise<void> {
    return new Promise((resolve, reject) =>
      this.#decider.decide(resident, event, { resolve, reject, internal, decided }),
    );
  }
}
