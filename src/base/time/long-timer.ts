/** Timers of any length: `setTimeout` fires immediately when the delay exceeds 24.8 days. */

/** The longest delay that `setTimeout` supports: 2^31 - 1 ms. */
export const MAX_TIMER_MS = 2_147_483_647;

/** A running timer. */
export interface LongTimer {
  /** Stops the timer; it no longer fires. */
  stop(): void;
  /** Restarts the delay from the beginning. */
  restart(): void;
}

/** Calls `fire` after `delayMs`, regardless of its length. It keeps the process alive, as `setTimeout` does. */
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
