import { fail } from "../../../base/errors.ts";
import type { Plan } from "../../../flows/plan.ts";

/**
 * Refuses to start a flow whose graph is not among the loaded ones, before a run waits for it. Runs that have started
 * wait instead. Without `graphs` every start is taken. Error: GRAPH_NOT_LOADED.
 */
export function checkGraphLoaded(plan: Plan, graphs: ReadonlySet<string> | undefined): void {
  if (plan.kind !== "graph" || graphs === undefined || graphs.has(plan.graph)) return;
  fail("GRAPH_NOT_LOADED", { graph: plan.graph });
}
