/** Deletes routed tasks that nobody keeps, with their runs. Each instance deletes those of its own shards. */
import { isOrchestratorError } from "../../../base/errors.ts";
import type { Log } from "../../../base/log.ts";
import type { RoutedTaskHistory } from "../../ports/routing/routed-tasks.ts";
import type { RunControl } from "../../ports/run-control.ts";
import type { OwnedShards } from "../../shard/ownership/owned-shards.ts";
import { type Repetition, repeat } from "../../shard/repeat.ts";

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
/** Pause between two looks, milliseconds. */
const EVERY_MS = 300_000;
/** Tasks that are read at once. */
const PAGE = 1_000;

/** Looks again and again. */
export function keepRoutedHistory(parts: HistoryParts, everyMs = EVERY_MS): Repetition {
  return repeat(() => pruneRoutedHistory(parts), everyMs, parts.log);
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
