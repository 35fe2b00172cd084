/**
 * The database's clock, extrapolated by the monotonic clock of this machine between answers of the database.
 *
 * An answer says what the clock showed at some moment between question and answer, so what it shows now is known as a
 * range. The two ends have different uses:
 *
 *   now()       the late end: what a due time is counted from, and what records carry. Nothing that is counted from it ends too early.
 *   earliest()  the early end: what a due time is compared with. Nothing that is due by it is early.
 *
 * Each sample narrows the range of those before it; the range widens with time by what two clocks may drift. A sample
 * that contradicts the range (somebody set the database's clock) replaces it. `now` never runs backwards: when the
 * clock is set back it stands still until the clock has caught up.
 */
import type { Clock } from "../../../base/time/clock.ts";

/** How far two clocks may drift apart, milliseconds per millisecond: NTP corrects a clock by at most this much. */
const DRIFT = 0.0005;

/** What must be added to the monotonic clock to get the database's, at least and at most. */
interface Offset {
  readonly low: number;
  readonly high: number;
  /** By the monotonic clock. */
  readonly sampledAt: number;
}

/** The database's clock, as this machine knows it. */
export class DatabaseClock {
  readonly #clock: Clock;
  #offset: Offset | null = null;
  #last = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The monotonic clock, milliseconds: read it before the database is asked for its clock. */
  monotonic(): number {
    return this.#clock.monotonic();
  }

  /**
   * Takes in what the database's clock showed in an answer that has just arrived. `askedAt`: {@link monotonic} before
   * the question.
   */
  sample(databaseNow: number, askedAt: number): void {
    const sampledAt = this.#clock.monotonic();
    const sample = { low: databaseNow - sampledAt, high: databaseNow - askedAt, sampledAt };
    const known = this.#range(sampledAt);
    const low = Math.max(sample.low, known?.low ?? sample.low);
    const high = Math.min(sample.high, known?.high ?? sample.high);
    this.#offset = low <= high ? { low, high, sampledAt } : sample;
  }

  /**
   * Now, whole milliseconds since the epoch, no earlier than the database's clock. Before the first sample it is the
   * machine's clock.
   */
  now(): number {
    const monotonic = this.#clock.monotonic();
    const offset = this.#range(monotonic);
    const now = offset === null ? this.#clock.now() : Math.ceil(monotonic + offset.high);
    if (now > this.#last) this.#last = now;
    return this.#last;
  }

  /**
   * Now, milliseconds since the epoch, no later than the database's clock. Before the first sample it is the machine's
   * clock.
   */
  earliest(): number {
    const monotonic = this.#clock.monotonic();
    const offset = this.#range(monotonic);
    return offset === null ? this.#clock.now() : monotonic + offset.low;
  }

  /** Milliseconds until the database's clock certainly shows `at`; negative when it is past. */
  until(at: number): number {
    return at - this.earliest();
  }

  #range(monotonic: number): Offset | null {
    if (this.#offset === null) return null;
    const { low, high, sampledAt } = this.#offset;
    const drift = (monotonic - sampledAt) * DRIFT;
    return { low: low - drift, high: high + drift, sampledAt };
  }
}
