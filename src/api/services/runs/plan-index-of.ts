/** Plans of runs for responses. */
import { isOrchestratorError } from "../../../base/errors.ts";
import type { Caller } from "../../../engine/ports/caller.ts";
import type { FlowRegistry } from "../../../flows/ports/registry.ts";
import { indexPlan, type PlanIndex } from "../../mapping/plan-index.ts";

/** Index of the plan of a run; null if the plan is not available (a run that was rejected at its start has none). */
export type PlanIndexOf = (
  caller: Caller,
  run: { readonly flowId: string; readonly hash: string },
) => Promise<PlanIndex | null>;

/**
 * Finds plans by hash and caches their indexes. A missing plan never makes a call fail; the response only lacks some
 * fields.
 */
export function createPlanIndexOf(flows: Pick<FlowRegistry, "planByHash">): PlanIndexOf {
  return async (caller, run) => {
    if (run.hash === "") return null;
    try {
      return indexPlan(await flows.planByHash(caller.tenantId, run.flowId, run.hash));
    } catch (error) {
      // Missing, damaged, or not compilable by this build; calls that change the run report the problem.
      if (isOrchestratorError(error) && error.retry !== "no") throw error;
      return null;
    }
  };
}
