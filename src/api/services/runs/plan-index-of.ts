/** Plans of runs, as answers show them. */
import { isOrchestratorError } from "../../../base/errors.ts";
import type { Caller } from "../../../engine/ports/caller.ts";
import type { FlowRegistry } from "../../../flows/ports/registry.ts";
import { indexPlan, type PlanIndex } from "../../mapping/plan-index.ts";

/**
 * Index of the plan that a run follows; null when the plan cannot be had (a run that was refused at intake has none).
 */
export type PlanIndexOf = (
  caller: Caller,
  run: { readonly flowId: string; readonly hash: string },
) => Promise<PlanIndex | null>;

/** Finds plans by content and keeps their indexes. A missing plan makes answers poorer, never fail. */
export function createPlanIndexOf(flows: Pick<FlowRegistry, "planByHash">): PlanIndexOf {
  return async (caller, run) => {
    if (run.hash === "") return null;
    try {
      return indexPlan(await flows.planByHash(caller.tenantId, run.flowId, run.hash));
    } catch (error) {
      // Gone, damaged, or not to be compiled by this build: whoever acts on the run hears of it.
      if (isOrchestratorError(error) && error.retry !== "no") throw error;
      return null;
    }
  };
}
