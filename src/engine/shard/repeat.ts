import type { Log } from "../../base/log.ts";

/** Periodic work. */
export interface Repetition {
  /** Ends it. Resolves when the current work has finished. */
  stop(): Promise<void>;
}

/** Repeats `work`, `everyMs` after the end of the previous call. Failures are logged. */
export function repeat(work: () => Promise<void>, everyMs: number, log: Log): Repetition {
  let stopped = false;
  let running = Promise.resolve();
  let timer = setTimeout(start, everyMs);
  function start(): void {
    running = work()
      .catch((error: unknown) => log.warn("a periodic task failed; it will be retried", { error }))
      .then(() => {
        if (!stopped) timer = setTimeout(start, everyMs);
      });
  }
  return {
    stop: () => {
      stopped = true;
      clearTimeout(timer);
      return running;
    },
  };
}
