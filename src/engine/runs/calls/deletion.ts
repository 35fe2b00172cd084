/**
 * Deletion of runs that have ended.
 *
 *   ended run → one statement: header, journal, approvals, dead letters, unsent events, and checkpoints are deleted, a
 *   tombstone stays → RUN_DELETED
 *
 * What a goal consists of is deleted before it. The tombstone reserves the id: no other run gets it, and reads return
 * RUN_DELETED. The run id of the start stays taken, too, and its request id as long as those of other runs.
 */
import { toError } from "../../../base/errors.ts";
import { formatRfc3339 } from "../../../base/time/rfc3339.ts";
import type { Caller } from "../../ports/caller.ts";
import type { Journal } from "../../ports/journal.ts";
import type { RunHeader } from "../../ports/run-index.ts";
import { isClean, StartOutdated, StartTaken } from "../../shard/resident.ts";
import { deleteParts } from "../goals/goal-deletion.ts";
import type { Runs } from "../runs.ts";

/** Throws the error for a run that the store does not have: RUN_DELETED or RUN_NOT_FOUND. */
export async function throwMissing(
  journal: Pick<Journal, "findDeleted">,
  tenantId: string,
  runId: string,
): Promise<never> {
  const deletedAt = await journal.findDeleted(tenantId, runId);
  if (deletedAt === null) throw toError("RUN_NOT_FOUND", { runId });
  throw toError("RUN_DELETED", { runId, deletedAt: formatRfc3339(deletedAt) });
}

/**
 * Deletes an ended run and tells observers. Resolves with the time of the deletion, milliseconds; of the first one
 * if it was already deleted.
 */
export async function deleteRun(runs: Runs, caller: Caller, runId: string): Promise<number> {
  const { journal, clock, erasing } = runs;
  const findTime = (): Promise<number | null> => journal.findDeleted(caller.tenantId, runId);
  const before = await findTime();
  if (before !== null) return before;
  erasing.add(runId);
  try {
    runs.deleted(await eraseRun(runs, caller, runId), clock.now());
  } catch (error) {
    // Another call may have deleted it in the meantime.
    const meanwhile = await findTime();
    if (meanwhile === null) throw error;
    return meanwhile;
  } finally {
    erasing.delete(runId);
  }
  return (await findTime()) ?? clock.now();
}

/** Erases an ended run. Resolves with its last header. */
async function eraseRun(runs: Runs, caller: Caller, runId: string): Promise<RunHeader> {
  const { residence, journal, shards, submission, clock } = runs;
  const { tenantId } = caller;
  const shard = shards.shardOf(runId);
  const epoch = shards.epochOf(shard);
  if (epoch === undefined) throw toError("RUN_MOVED", { runId });
  // Memory can be ahead of the journal: a run that has ended there is deleted only once its end is durable.
  const resident = residence.get(runId);
  if (resident !== undefined && !isClean(resident))
    await submission.submit(resident, { type: "due", at: clock.now(), random: 0 }).catch((error: unknown) => {
      // It belonged to a start that was refused because of the run.
      if (!(error instanceof StartTaken || error instanceof StartOutdated)) throw error;
    });
  const header = await journal.findHeader(runId);
  if (header === null || header.tenantId !== tenantId) throw toError("RUN_NOT_FOUND", { runId });
  if (header.endedAt === null)
    throw toError("RUN_STATE_INVALID", {
      runId,
      state: header.state,
      action: "a deletion before its end (cancel or terminate it first)",
    });
  await deleteParts(runs, header, (partId) => deleteRun(runs, caller, partId));
  const deleted = await journal.deleteRun({ shard, epoch }, tenantId, runId);
  if (deleted === "fenced") throw toError("RUN_MOVED", { runId });
  if (deleted === "related")
    throw toError("RUN_STATE_INVALID", {
      runId,
      state: header.state,
      action: "a deletion while its parent or one of its child runs is open (end those first)",
    });
  if (resident !== undefined && !resident.gone) residence.drop(resident);
  return header;
}
