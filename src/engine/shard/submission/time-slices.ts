/**
 * Time slices: no entity occupies the event loop alone, whatever its flow does.
 *
 *   event → decide → settle ──nothing left to do──→ settled
 *                      └──the slice is used up──→ records are committed ──→ queued for its next slice ──→ settle …
 *
 * A round is what all entities together may do before the event loop handles everything else, and a slice is the part
 * of one of them. Queued entities take turns. An entity can be interrupted between any two steps: its journal shows
 * where it is, and new events are decided at once. Its work so far is durable before its next slice, so the size of a
 * transition and its memory are limited.
 */
import type { Lifecycle } from "../lifecycle.ts";
import { isClean, type Resident } from "../resident.ts";

/** What may be done before another entity continues. Counted down as it is used. */
export interface TimeSlice {
  /** Steps and the records that they make. */
  work: number;
  /** The most of `work` for one entity. */
  readonly most: number;
  /** Steps of expressions; one value may go below zero. */
  steps: number;
}

/** Steps and records of all entities in one round; about 10 µs each. */
const ROUND_WORK = 20_000;

/** Steps and records of one entity in one round: a transition has at most about half as many records. */
export const SLICE_WORK = 8_000;

/** Expression steps of all entities in one round, about 80 ns each. A single value may take 300,000. */
const ROUND_STEPS = 500_000;

/** Hands out time slices. */
export class TimeSlices {
  readonly #lifecycle: Lifecycle;
  readonly #goOn: (resident: Resident) => void;
  readonly #queue = new Set<Resident>();
  readonly #slice: TimeSlice = { work: ROUND_WORK, most: SLICE_WORK, steps: ROUND_STEPS };
  #armed = false;

  /** `goOn` submits the event with which the entity continues. */
  constructor(lifecycle: Lifecycle, goOn: (resident: Resident) => void) {
    this.#lifecycle = lifecycle;
    this.#goOn = goOn;
  }

  /** The rest of this round. */
  take(): TimeSlice {
    const slice = this.#slice;
    // A round with little work does not need a new one at once.
    if (slice.work < ROUND_WORK / 2 || slice.steps < ROUND_STEPS / 2) this.#arm();
    return slice;
  }

  /**
   * Queues the entity for its next slice, if it needs one and its work so far is durable. Otherwise its commit calls
   * this again.
   */
  queue(resident: Resident): void {
    if (!this.#wants(resident)) return;
    this.#queue.add(resident);
    this.#arm();
  }

  #wants(resident: Resident): boolean {
    // A draining instance leaves the rest to the next owner.
    const isUnsettled = resident.kind.rules.isUnsettled(resident.entity);
    const mayGoOn = !resident.gone && resident.heldBack?.stopped !== true && !this.#lifecycle.draining;
    return mayGoOn && isUnsettled && isClean(resident);
  }

  #arm(): void {
    if (this.#armed) return;
    this.#armed = true;
    setImmediate(() => this.#round());
  }

  #round(): void {
    const slice = this.#slice;
    this.#armed = false;
    slice.work = ROUND_WORK;
    slice.steps = ROUND_STEPS;
    for (const resident of this.#queue) {
      if (slice.work <= 0 || slice.steps <= 0) break;
      this.#queue.delete(resident);
      if (this.#wants(resident) && !resident.kind.rules.hasEnded(resident.entity)) this.#goOn(resident);
    }
    if (this.#queue.size > 0) this.#arm();
  }
}
