import { setTimeout as sleep } from "node:timers/promises";

/** Options of {@link eventually}. */
export interface EventuallyOptions {
  /** When to give up, milliseconds; 10,000. */
  readonly timeoutMs?: number;
  /** Pause between tries, milliseconds; 20. */
  readonly intervalMs?: number;
}

/**
 * Calls `check` until it returns without throwing, and gives what it returned. When the time is up the last error is
 * thrown, with the number of tries in front of its message.
 */
export async function eventually<T>(check: () => T | Promise<T>, options: EventuallyOptions = {}): Promise<T> {
  const deadline = performance.now() + (options.timeoutMs ?? 10_000);
  for (let tries = 1; ; tries++) {
    try {
      return await check();
    } catch (error) {
      if (performance.now() > deadline) {
        if (error instanceof Error) error.message = `after ${tries} tries: ${error.message}`;
        throw error;
      }
      await sleep(options.intervalMs ?? 20);
    }
  }
}
