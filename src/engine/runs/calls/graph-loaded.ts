import { fail } from "../../../base/errors.ts";
import type { Plan } from "../../../flows/plan.ts";

/**
 * Rejects the start of a flow whose graph is not loaded, before a run waits for it. Runs that have started wait
 * instead. Without `graphs` every start is accepted. Error: GRAPH_NOT_LOADED.
 */
export function checkGraphLoaded(plan: Plan, graphs: ReadonlySet<string> | undefined): void {
  if (plan.kind !== "graph" || graphs === undefined || graphs.has(plan.graph)) return;
  fail("GRAPH_NOT_LOADED", { graph: plan.graph });
}
