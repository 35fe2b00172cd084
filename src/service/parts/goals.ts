/** The flows of goals: who judges their results. */
import { splitModel } from "../../config/model-name.ts";
import type { Config } from "../../config/settings.ts";
import { createGoalFlows, type GoalFlows } from "../../flows/builtin/goal.ts";

/** Their forms at this service. */
export function goalFlowsOf({ goals }: Config): GoalFlows {
  const [provider, model = null] = splitModel(goals.model);
  return createGoalFlows(provider === undefined ? null : { provider, model });
}
