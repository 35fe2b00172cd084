import type { Clock } from "../../base/clock.ts";

/**
 * The database's clock, extrapolated by the monotonic clock of this machine between answers of the database. `now` never runs backwards: when the
 * database's clock is set back it stands still until that has caught up.
 */
export class DatabaseClock {
  readonly #clock: Clock;
  #offset: number | null = null;
  #last = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Takes in what the database's clock said in an answer that has just arrived. The way back makes it late by a little, which is the safe side. */
  sample(databaseNow: number): void {
    this.#offset = databaseNow - this.#clock.monotonic();
  }

  /** Milliseconds until the database's clock, as it stands, shows `at`; negative when it is past. */
  until(at: number): number {
    return at - this.#read();
  }

  /** Now, whole milliseconds since the epoch. Before the first sample it is the machine's clock. */
  now(): number {
    const now = Math.floor(this.#read());
    if (now > this.#last) this.#last = now;
    return this.#last;
  }

  #read(): number {
    return this.#offset === null ? this.#clock.now() : this.#clock.monotonic() + this.#offset;
  }
}
