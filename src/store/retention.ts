/** Removes rows that are old from time to time: the loop that all retentions share. */
import type { Log } from "../base/log.ts";

/** Time between two looks, milliseconds: a fraction of the retention within these bounds. */
const EVERY_LEAST_MS = 1_000;
const EVERY_MOST_MS = 3_600_000;
const LOOKS_PER_RETENTION = 24;

/** The first look comes this long after the start at the latest, milliseconds. */
const FIRST_MS = 60_000;

/** Removes what is old until it is stopped. */
export interface Retention {
  readonly stop: () => Promise<void>;
}

/** Calls `remove` from time to time; `retentionMs` 0 keeps everything. A look that fails is logged. */
export function keepRecent(
  what: string,
  remove: (isStopping: () => boolean) => Promise<number>,
  retentionMs: number,
  log: Log,
): Retention {
  if (retentionMs === 0) return { stop: () => Promise.resolve() };
  const everyMs = Math.min(Math.max(retentionMs / LOOKS_PER_RETENTION, EVERY_LEAST_MS), EVERY_MOST_MS);
  let isStopping = false;
  let look = Promise.resolve();
  let timer: NodeJS.Timeout;
  const lookOnce = async (): Promise<void> => {
    try {
      const removed = await remove(() => isStopping);
      if (removed > 0) log.info(`old ${what} removed`, { removed });
    } catch (error) {
      log.warn(`old ${what} could not be removed; trying again later`, { error });
    }
    schedule(everyMs);
  };
  const schedule = (inMs: number): void => {
    if (isStopping) return;
    timer = setTimeout(() => {
      look = lookOnce();
    }, inMs).unref();
  };
  schedule(Math.min(everyMs, FIRST_MS));
  return {
    stop: () => {
      isStopping = true;
      clearTimeout(timer);
      return look;
    },
  };
}
