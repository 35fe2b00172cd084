/**
 * Fails the tasks whose messages can never be sent. A rejected message is a row until its task has failed, so a death
 * between the two loses nothing: the next owner of the shard finds the row.
 */
import type { Log } from "../base/log.ts";
import type { OutgoingId, RejectedTask, RejectedTasks } from "../engine/ports/bus/outbox.ts";
import type { HandOvers } from "../engine/ports/dispatch/hand-overs.ts";
import { type Left, type NudgedLoop, startNudgedLoop } from "./nudged-loop.ts";

/** Rows of a page. */
const PAGE = 100;

/** Pause before those that could not be failed are tried again, milliseconds: their runs are held or have moved. */
const AGAIN_MS = 30_000;

export interface RejectedTaskParts {
  readonly rejected: RejectedTasks;
  readonly handOvers: Pick<HandOvers, "reported">;
  readonly shards: { readonly owned: readonly number[] };
  readonly log: Log;
}

/** Starts looking for such tasks whenever it is nudged. */
export function failRejectedTasks({ rejected, handOvers, shards, log }: RejectedTaskParts): NudgedLoop {
  const fail = async ({ id, runId, topic, fence, reason }: RejectedTask): Promise<OutgoingId | null> => {
    const message = `the message of the task can never be sent to topic ${topic}: ${reason}`;
    const error = { type: "DISPATCH_REJECTED", message, retryable: false };
    try {
      // A repetition changes nothing, and neither does a report on a task that has ended.
      await handOvers.reported({ runId, fence }, { ok: false, error });
      return id;
    } catch (cause) {
      log.warn("a task whose message was rejected cannot be failed yet", { runId, topic, error: cause });
      return null;
    }
  };

  const step = async (): Promise<Left> => {
    let left = 0;
    for (let after: OutgoingId | null = null; ; ) {
      const page: readonly RejectedTask[] = await rejected.list(shards.owned, after, PAGE);
      const failed = (await Promise.all(page.map(fail))).filter((id) => id !== null);
      if (failed.length > 0) await rejected.settle(failed);
      left += page.length - failed.length;
      after = page[page.length - 1]?.id ?? after;
      if (page.length < PAGE) return left === 0 ? "nothing" : { afterMs: AGAIN_MS };
    }
  };

  return startNudgedLoop({ step, failure: "rejected messages cannot be read", log });
}
