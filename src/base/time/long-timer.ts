/** Timers for any time: `setTimeout` fires at once when it is given more than 24.8 days. */

/** The longest time that `setTimeout` takes: 2^31 - 1 ms. */
export const MAX_TIMER_MS = 2_147_483_647;

/** A timer that was started. */
export interface LongTimer {
  /** Ends it; it does not fire any more. */
  stop(): void;
  /** Lets its time begin again. */
  restart(): void;
}

/** Calls `fire` after `delayMs`, however long that is. It keeps the process alive, as `setTimeout` does. */
export function startLongTimer(delayMs: number, fire: () => void): LongTimer {
  return new Timer(delayMs, fire);
}

class Timer implements LongTimer {
  readonly #delayMs: number;
  readonly #fire: () => void;
  #left: number;
  #timer: NodeJS.Timeout;

  constructor(delayMs: number, fire: () => void) {
    this.#delayMs = delayMs;
    this.#fire = fire;
    this.#left = delayMs;
    this.#timer = this.#arm();
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  restart(): void {
    if (this.#delayMs <= MAX_TIMER_MS) {
      this.#timer.refresh();
      return;
    }
    clearTimeout(this.#timer);
    this.#left = this.#delayMs;
    this.#timer = this.#arm();
  }

  #arm(): NodeJS.Timeout {
    const part = Math.min(this.#left, MAX_TIMER_MS);
    this.#left -= part;
    if (this.#left <= 0) return setTimeout(this.#fire, part);
    return setTimeout(() => {
      this.#timer = this.#arm();
    }, part);
  }
}
