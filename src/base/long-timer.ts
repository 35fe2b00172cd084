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
  let left = 0;
  let timer: NodeJS.Timeout;
  const arm = (): void => {
    const part = Math.min(left, MAX_TIMER_MS);
    left -= part;
    timer = setTimeout(() => (left > 0 ? arm() : fire()), part);
  };
  const start = (): void => {
    left = delayMs;
    arm();
  };
  start();
  return {
    stop: () => clearTimeout(timer),
    restart: () => {
      if (delayMs <= MAX_TIMER_MS) timer.refresh();
      else {
        clearTimeout(timer);
        start();
      }
    },
  };
}
