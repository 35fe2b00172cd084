/**
 * Timers of entities in memory. The stored header has the next due time. Timers within the horizon are set in the
 * process; later ones are found by checks of the store, so a waiting entity need not be in memory.
 */
import { failPoint } from "../../../base/process/fail-points.ts";
import type { RuntimeEvent } from "../kind.ts";
import type { RuntimeObserver } from "../observer.ts";
import type { DatabaseClock } from "../ownership/database-clock.ts";
import { isClean, type Resident } from "../resident.ts";
import type { TimeSlices } from "../submission/time-slices.ts";

/** Timers nearer than this are set in the process; the next check of the store finds later ones. */
const TIMER_HORIZON_MS = 15_000;

/** Schedules timers and time slices. */
export class Timers {
  readonly #clock: DatabaseClock;
  readonly #slices: TimeSlices;
  readonly #post: (resident: Resident, event: RuntimeEvent) => void;
  readonly #observer: RuntimeObserver;

  constructor(
    clock: DatabaseClock,
    slices: TimeSlices,
    post: (resident: Resident, event: RuntimeEvent) => void,
    observer: RuntimeObserver,
  ) {
    this.#clock = clock;
    this.#slices = slices;
    this.#post = post;
    this.#observer = observer;
  }

  /** Schedules the next time slice of an entity and its next timer. */
  arm(resident: Resident): void {
    this.#slices.queue(resident);
    this.armTimer(resident);
  }

  /** Sets the next timer of an entity if it is near. */
  armTimer(resident: Resident): void {
    if (resident.timer !== null) {
      clearTimeout(resident.timer);
      resident.timer = null;
    }
    // The trial may be for this very timer; it is set again afterwards.
    if (resident.gone || resident.onTrial > 0 || resident.heldBack?.stopped === true) return;
    const dueAt = resident.kind.rules.nextDueAt(resident.entity);
    if (dueAt === null) return;
    // Uses the time that the database's clock has certainly reached: an early timer would be refused and set again,
    // over and over.
    const delay = this.#clock.until(dueAt);
    if (delay <= TIMER_HORIZON_MS)
      resident.timer = setTimeout(() => this.#fire(resident), Math.max(1, Math.ceil(delay)));
  }

  #fire(resident: Resident): void {
    resident.timer = null;
    if (resident.gone) return;
    failPoint("timer.fire", resident.id);
    const { rules } = resident.kind;
    const at = this.#clock.now();
    const by = Math.floor(this.#clock.earliest());
    for (;;) {
      const dueAt = rules.nextDueAt(resident.entity);
      if (dueAt === null || dueAt > by || resident.frozen) break;
      this.#observer.fired(by - dueAt);
      const before = rules.sequenceOf(resident.entity);
      this.#post(resident, { type: "due", at, by, random: Math.random() });
      if (rules.sequenceOf(resident.entity) === before) break;
    }
    if (isClean(resident)) this.armTimer(resident);
  }
}
