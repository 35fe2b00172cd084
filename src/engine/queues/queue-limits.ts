/** Keeps the limits of queues while there are any: what waits too long expires, and what is too much is deferred. */
import type { Log } from "../../base/log.ts";
import type { HandOvers } from "../ports/dispatch/hand-overs.ts";
import type { ExpiredTask, QueueLimitStore } from "../ports/dispatch/queues.ts";
import { type Repetition, repeat } from "../shard/repeat.ts";
import type { QueueRules } from "./queue-rules.ts";

/** How often, milliseconds. */
const LOOK_EVERY_MS = 1_000;

/** Most tasks that expire at a time: each loads a run. */
const MAX_EXPIRED = 200;

/** Most transactions in a row in which tasks are deferred and let in. */
const MAX_ROUNDS = 20;

export interface QueueLimitsParts {
  readonly store: QueueLimitStore;
  readonly rules: Pick<QueueRules, "all" | "refresh">;
  readonly handOvers: Pick<HandOvers, "expired">;
  readonly shards: { readonly owned: readonly number[] };
  readonly log: Log;
}

/** Begins to keep limits. Tasks of other instances' shards expire there. */
export function keepQueueLimits({ store, rules, handOvers, shards, log }: QueueLimitsParts): Repetition {
  const expire = async (task: ExpiredTask): Promise<void> => {
    const { runId, path, queue } = task;
    try {
      await handOvers.expired(task, task.ttlMs);
    } catch (error) {
      log.warn("a task has waited too long and could not be failed; it is tried again", {
        runId,
        task: path,
        queue,
        error,
      });
    }
  };
  return repeat(
    async () => {
      const all = [...rules.all];
      if (all.some(({ ttlMs }) => ttlMs !== null) && shards.owned.length > 0)
        await Promise.all((await store.listExpired(shards.owned, MAX_EXPIRED)).map(expire));
      // What becomes ready in a drained queue is deferred as it comes.
      if (!all.some(({ drain, maxLength }) => drain === null || maxLength !== null)) return;
      for (let round = 0; round < MAX_ROUNDS; round += 1) {
        const { hasChanged, isMore } = await store.settle();
        // Instances that listen are told by the store.
        if (hasChanged) rules.refresh();
        if (!isMore) return;
      }
    },
    LOOK_EVERY_MS,
    log,
  );
}
