import { setTimeout as sleep } from "node:timers/promises";
import { isOrchestratorError } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";

const FIRST_MS = 50;
const MOST_MS = 2_000;

/**
 * Retries `work` with growing pauses while its errors are retryable, for example while the store is away. Rejects with
 * other errors, and with the last one once `givesUp`, which is called with each error, returns true because nobody
 * needs the result any more.
 */
export async function retryUntil<T>(
  log: Pick<Log, "warn">,
  work: () => Promise<T>,
  givesUp: (error: Error) => boolean = () => false,
): Promise<T> {
  for (let delay = FIRST_MS; ; delay = Math.min(delay * 2, MOST_MS)) {
    try {
      return await work();
    } catch (error) {
      if (!isOrchestratorError(error) || error.retry === "no" || givesUp(error)) throw error;
      log.warn("retrying after an error", { error, inMs: delay });
      await sleep(delay);
    }
  }
}
