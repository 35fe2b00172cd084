/** Deletes routed tasks that nobody keeps, with their runs. Each instance deletes those of its own shards. */
import { isOrchestratorError } from "../../../base/errors.ts";
import type { Log } from "../../../base/log.ts";
import { isEndRecord } from "../../machine/control/end-records.ts";
import type { RoutedTaskHistory } from "../../ports/routing/routed-tasks.ts";
import type { RunControl } from "../../ports/run-control.ts";
import type { OwnedShards } from "../../shard/ownership/owned-shards.ts";
import { type Repetition, repeat } from "../../shard/repeat.ts";
import type { RunObserver } from "../observer.ts";
import { isRoutedTask } from "./routed-task.ts";

export interface HistoryParts {
  readonly history: RoutedTaskHistory;
  readonly control: Pick<RunControl, "deleteRun">;
  readonly shards: Pick<OwnedShards, "owned">;
  /** Tasks that each tenant keeps. */
  readonly keep: number;
  readonly log: Log;
}

/** How long a task is kept at most, milliseconds. */
const MAX_AGE_MS = 86_400_000;
/** Longest pause between two looks, milliseconds. */
const EVERY_MS = 300_000;
/** After this part of the history has ended anew, there is a look: the list is longer by no more than that. */
const FRESH_PART = 0.1;
/** Tasks that are read at once. */
const PAGE = 1_000;

/** Looks again and again, the sooner the more tasks end at this instance, which the observer counts. */
export function keepRoutedHistory(
  parts: HistoryParts,
  everyMs = EVERY_MS,
): Repetition & { readonly observer: RunObserver } {
  const { keep, log } = parts;
  const mostFresh = Math.max(1, Math.floor(keep * FRESH_PART));
  let fresh = 0;
  let looking: Promise<void> | null = null;
  const look = (): Promise<void> => {
    looking ??= lookWhileFresh().finally(() => {
      looking = null;
    });
    return looking;
  };
  const lookWhileFresh = async (): Promise<void> => {
    do {
      fresh = 0;
      await pruneRoutedHistory(parts);
    } while (fresh >= mostFresh);
  };
  const periodic = repeat(look, everyMs, log);
  return {
    observer: {
      committed({ state }, records) {
        if (!isRoutedTask(state) || !records.some(isEndRecord)) return;
        fresh += 1;
        if (fresh >= mostFresh && looking === null)
          look().catch((error: unknown) =>
            log.warn("old routed tasks cannot be deleted; it is tried again", { error }),
          );
      },
    },
    async stop() {
      await periodic.stop();
      // Its failure is logged.
      await looking?.catch(() => {});
    },
  };
}

/** Looks once, page after page; a page of which nothing can be deleted is the last. */
export async function pruneRoutedHistory({ history, control, shards, keep, log }: HistoryParts): Promise<void> {
  const isDeleted = async (taskId: string, tenantId: string): Promise<boolean> => {
    try {
      await control.deleteRun({ tenantId, actor: "" }, taskId);
      return true;
    } catch (error) {
      // Somebody else has deleted it, or the shard has just left.
      if (isOrchestratorError(error) && (error.grpc === "NOT_FOUND" || error.code === "RUN_MOVED")) return false;
      log.warn("a routed task cannot be deleted; it is tried again", { taskId, error });
      return false;
    }
  };
  for (;;) {
    const old = await history.listOld(shards.owned, keep, MAX_AGE_MS, PAGE);
    let deleted = 0;
    for (const { taskId, tenantId } of old) if (await isDeleted(taskId, tenantId)) deleted += 1;
    if (old.length < PAGE || deleted === 0) return;
  }
}
