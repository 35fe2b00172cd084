import type { Log } from "../../base/log.ts";

/** Work that is done periodically. */
export interface Repetition {
  /** Ends it. Resolves when the work that is under way is over. */
  stop(): Promise<void>;
}

/** Does `work` again and again, `everyMs` after the last time it was done. A failure is logged. */
export function repeat(work: () => Promise<void>, everyMs: number, log: Log): Repetition {
  let stopped = false;
  let running = Promise.resolve();
  let timer = setTimeout(start, everyMs);
  function start(): void {
    running = work()
      .catch((error: unknown) => log.warn("a periodic task failed; it is tried again", { error }))
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
