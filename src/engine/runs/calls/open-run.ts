import { isOrchestratorError, toError } from "../../../base/errors.ts";
import { isTerminalPhase, publicState } from "../../machine/state.ts";
import type { Caller } from "../../ports/caller.ts";
import { isClean } from "../../shard/resident.ts";
import type { RunResident } from "../run-resident.ts";
import type { Runs } from "../runs.ts";
import { throwUnreadable } from "../unreadable.ts";
import { throwMissing } from "./deletion.ts";

/**
 * An open run of the caller's tenant, in memory. Errors: RUN_NOT_FOUND, RUN_DELETED, RUN_FINISHED, RUN_MOVED,
 * RUN_UNREADABLE, SHUTTING_DOWN.
 */
export async function openRunOf(runs: Runs, caller: Caller, runId: string): Promise<RunResident> {
  const { residence, journal, submission, clock, lifecycle } = runs;
  const { tenantId } = caller;
  if (lifecycle.stopping) throw toError("SHUTTING_DOWN");
  const resident = await residence.open(runId).catch((error) => {
    if (isOrchestratorError(error) && error.code === "RUN_NOT_FOUND") return throwMissing(journal, tenantId, runId);
    return throwUnreadable(journal, tenantId, runId, error);
  });
  const { state } = resident.entity;
  if (state.tenantId !== tenantId) throw toError("RUN_NOT_FOUND", { runId });
  if (!isTerminalPhase(state.phase)) return resident;
  // Memory can be ahead of the journal: the end of the run is reported once it is durable.
  if (!isClean(resident)) {
    await submission.submit(resident, { type: "due", at: clock.now(), random: 0 });
    return openRunOf(runs, caller, runId);
  }
  throw toError("RUN_FINISHED", { runId, state: publicState(state) });
}
