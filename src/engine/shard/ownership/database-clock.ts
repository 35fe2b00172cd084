/**
 * The database's clock, extrapolated with the monotonic clock of this machine between samples.
 *
 * A sample shows the clock at some moment between request and response, so the current time is known as a range. Its
 * two ends have different uses:
 *
 *   now() the late end: due times are counted from it, and records carry it. Nothing counted from it ends too early.
 *   earliest() the early end: due times are compared with it. Nothing that is due by it is early.
 *
 * Each sample narrows the range; over time the range widens by the possible drift between the clocks. A sample that
 * contradicts the range (someone set the database's clock) replaces it. `now` never runs backwards: after the clock is
 * set back, it stands still until the clock has caught up.
 */
import type { Clock } from "../../../base/time/clock.ts";

/** Drift between two clocks, milliseconds per millisecond: NTP slews a clock by at most this much. */
const DRIFT = 0.0005;

/** Least and greatest difference from the monotonic clock to the database's clock. */
interface Offset {
  readonly low: number;
  readonly high: number;
  /** By the monotonic clock. */
  readonly sampledAt: number;
}

/** The database's clock, as known to this machine. */
export class DatabaseClock {
  readonly #clock: Clock;
  #offset: Offset | null = null;
  #last = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The monotonic clock, milliseconds: read it before a request for the database's clock. */
  monotonic(): number {
    return this.#clock.monotonic();
  }

  /** Adds a sample from a response that has just arrived. `askedAt`: {@link monotonic} before the request. */
  sample(databaseNow: number, askedAt: number): void {
    const sampledAt = this.#clock.monotonic();
    const sample = { low: databaseNow - sampledAt, high: databaseNow - askedAt, sampledAt };
    const known = this.#range(sampledAt);
    const low = Math.max(sample.low, known?.low ?? sample.low);
    const high = Math.min(sample.high, known?.high ?? sample.high);
    this.#offset = low <= high ? { low, high, sampledAt } : sample;
  }

  /**
   * Now, whole milliseconds since the epoch, no earlier than the database's clock. Before the first sample, the clock
   * of the machine.
   */
  now(): number {
    const monotonic = this.#clock.monotonic();
    const offset = this.#range(monotonic);
    const now = offset === null ? this.#clock.now() : Math.ceil(monotonic + offset.high);
    if (now > this.#last) this.#last = now;
    return this.#last;
  }

  /**
   * Now, milliseconds since the epoch, no later than the database's clock. Before the first sample, the clock of the
   * machine.
   */
  earliest(): number {
    const monotonic = this.#clock.monotonic();
    const offset = this.#range(monotonic);
    return offset === null ? this.#clock.now() : monotonic + offset.low;
  }

  /** Milliseconds until the database's clock certainly shows `at`; negative if it is past. */
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
