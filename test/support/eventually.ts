import { setTimeout as sleep } from "node:timers/promises";

/** Options of {@link eventually}. */
export interface EventuallyOptions {
  /** When to stop trying, milliseconds; default 10,000. */
  readonly timeoutMs?: number;
  /** Pause between attempts, milliseconds; default 20. */
  readonly intervalMs?: number;
}

/**
 * Calls `check` until it returns without throwing, and returns its result. When the time is up, throws the last error
 * with the number of attempts in its message.
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
