/**
 * Messages with which other instances die, the owners of the runs that they concern, while their reader lives and sends
 * them again. A connection that broke under a call is such a death.
 *
 *   sent with all others ──two deaths──→ alone, after a random pause ──three more──→ KILLS_ITS_READER
 *
 * Before, many messages may have been at the instance that died. The counts are in memory: a reader that dies as well
 * is what its own readers' deaths are counted for.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { BEFORE_TRIAL, KILLS_ITS_READER, MAX_DEATHS } from "./deaths.ts";
import { MessageRefused } from "./message-fields.ts";

/** An attempt alone begins after a pause of up to this long, milliseconds. */
const PAUSE_MS = 5_000;

export interface OwnerDeathsParts {
  readonly stopping: AbortSignal;
  /** See {@link PAUSE_MS}, for tests. */
  readonly pauseMs?: number | undefined;
}

/** What the messages of a reader share. */
export class OwnerDeaths {
  readonly #parts: OwnerDeathsParts;
  #last: Promise<void> = Promise.resolve();

  constructor(parts: OwnerDeathsParts) {
    this.#parts = parts;
  }

  /**
   * Makes the attempts at one message. `apply` says when an instance has gone to which it had given the message. Throws
   * `MessageRefused` after too many deaths. Its reader is told of each by `ownerDied`.
   */
  attemptsOf(apply: (ownerDied: () => void) => Promise<void>, ownerDied?: () => void): () => Promise<void> {
    let deaths = 0;
    const died = (): void => {
      deaths += 1;
      ownerDied?.();
    };
    const once = (): Promise<void> => apply(died);
    return async () => {
      if (deaths >= BEFORE_TRIAL + MAX_DEATHS)
        throw new MessageRefused(KILLS_ITS_READER, "the owners of its run died of it");
      await (deaths < BEFORE_TRIAL ? once() : this.#alone(once));
    };
  }

  async #alone(attempt: () => Promise<void>): Promise<void> {
    const { stopping, pauseMs = PAUSE_MS } = this.#parts;
    // A stop ends the pause.
    await sleep(Math.random() * pauseMs, undefined, { signal: stopping }).catch(() => {});
    const before = this.#last;
    const over = Promise.withResolvers<void>();
    this.#last = over.promise;
    await before;
    await attempt().finally(over.resolve);
  }
}
