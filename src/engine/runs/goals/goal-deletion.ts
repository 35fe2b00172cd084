/** What is deleted with a goal: the runs that it consists of, and the version that is its plan. */
import { isOrchestratorError } from "../../../base/errors.ts";
import { isJsonObject } from "../../../base/json/json.ts";
import { PLAN_STATES } from "../../../flows/builtin/goal-work.ts";
import { GOAL_FLOW, GOAL_PLAN_FLOW, GOAL_WORK_FLOW } from "../../../flows/builtin/ids.ts";
import type { RunState } from "../../machine/state.ts";
import type { RunHeader } from "../../ports/run-index.ts";
import type { Runs } from "../runs.ts";
import { listPartRuns, taskOf, workRunIdOf } from "./plan.ts";

/**
 * Deletes what an ended goal, or the work of one, consists of; nothing for other runs. It comes before the run itself,
 * so that a deletion that breaks off can be repeated. `deleteRun` deletes a child run.
 */
export async function deleteParts(
  { residence, flows }: Runs,
  { runId, tenantId, flowId }: RunHeader,
  deleteRun: (runId: string) => Promise<unknown>,
): Promise<void> {
  if (flowId !== GOAL_FLOW && flowId !== GOAL_WORK_FLOW) return;
  const stored = await residence.kind.store.load(runId);
  if (stored === null) return;
  const { state } = await residence.kind.store.open(stored);
  const work = flowId === GOAL_FLOW ? workRunIdOf(state) : null;
  for (const part of flowId === GOAL_FLOW ? (work === null ? [] : [work]) : listPartRuns(state))
    await ignoring(["RUN_NOT_FOUND"], deleteRun(part));
  const version = flowId === GOAL_FLOW ? null : planVersionOf(state);
  // Goals of older versions of the service may share one.
  if (version !== null)
    await ignoring(["FLOW_NOT_FOUND", "FLOW_IN_USE"], flows.deleteVersion(tenantId, GOAL_PLAN_FLOW, version, ""));
}

function planVersionOf(work: RunState): string | null {
  const output = taskOf(work, PLAN_STATES.keep)?.output ?? null;
  return isJsonObject(output) ? String(output["version"]) : null;
}

async function ignoring(codes: readonly string[], deletion: Promise<unknown>): Promise<void> {
  await deletion.catch((error: unknown) => {
    if (!isOrchestratorError(error) || !codes.includes(error.code)) throw error;
  });
}
