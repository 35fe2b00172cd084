/**
 * Names lines in which tasks wait and that no worker serves: in the log when it begins and when it ends, and for the
 * metrics. One instance looks, the owner of shard 0, so each is named once.
 */
import type { Log } from "../../base/log.ts";
import { carrierOf } from "../../tasks/addresses.ts";
import type { WaitingLine } from "../ports/dispatch/queues.ts";
import { type Repetition, repeat } from "../shard/repeat.ts";

/** How long the first task of a line must wait before the line is named, milliseconds. */
const PATIENCE_MS = 10_000;

/** Interval of checks, milliseconds. */
const LOOK_EVERY_MS = 15_000;

export interface QueueWatchParts {
  readonly store: { listLines(): Promise<readonly WaitingLine[]> };
  /** Whether a worker, at any instance, can do the tasks of a line. */
  readonly isServed: (line: WaitingLine) => boolean;
  readonly isPaused: (line: WaitingLine) => boolean;
  readonly shards: { readonly owned: readonly number[] };
  readonly log: Log;
  /** See {@link PATIENCE_MS} and {@link LOOK_EVERY_MS}, for tests. */
  readonly patienceMs?: number;
  readonly everyMs?: number;
}

/** Lines that no worker serves. */
export interface QueueWatch extends Repetition {
  /** As of the last look; none at the instances that do not look. */
  readonly unserved: readonly WaitingLine[];
}

/** Begins to watch. */
export function watchQueues(parts: QueueWatchParts): QueueWatch {
  const { store, isServed, isPaused, shards, log, patienceMs = PATIENCE_MS, everyMs = LOOK_EVERY_MS } = parts;
  let unserved: ReadonlyMap<string, WaitingLine> = new Map();
  const { stop } = repeat(
    async () => {
      const lines = shards.owned.includes(0) ? await store.listLines() : [];
      const found = lines.filter((line) => line.ageMs >= patienceMs && !isPaused(line) && !isServed(line));
      const before = unserved;
      unserved = new Map(found.map((line) => [nameOf(line), line]));
      for (const [name, line] of unserved) {
        if (before.has(name)) continue;
        const { queue, handler, labels, count } = line;
        if (carrierOf(queue) === "agents")
          log.warn("tasks wait for an agent and none listens", { handler, tasks: count });
        else
          log.warn("tasks wait for a worker and none serves their queue and handler; start one, or see `queues get`", {
            ...{ queue, handler, labels, tasks: count },
          });
      }
      for (const [name, { queue, handler, labels }] of before) {
        if (unserved.has(name) || !shards.owned.includes(0)) continue;
        log.info("no task waits for want of a worker any more", { queue, handler, labels });
      }
    },
    everyMs,
    log,
  );
  return {
    stop,
    get unserved() {
      return [...unserved.values()];
    },
  };
}

function nameOf({ tenantId, queue, handler, labels }: WaitingLine): string {
  return [tenantId, queue, handler, labels].join(" ");
}
