import { fail } from "../base/errors.ts";
import type { Plan } from "../flows/plan.ts";
import type { RuntimeParts } from "./shard/runtime-parts.ts";

/** Refuses to start a flow whose graph is not loaded, before a run waits for it. Runs that have started wait instead. Error: GRAPH_NOT_LOADED. */
export function checkGraphLoaded(plan: Plan, { graphs }: Pick<RuntimeParts, "graphs">): void {
  if (plan.kind !== "graph" || graphs === undefined || graphs.has(plan.graph)) return;
  fail("GRAPH_NOT_LOADED", { graph: plan.graph });
}
