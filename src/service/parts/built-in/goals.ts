/** The flows of goals: who judges their results. */
import { splitModel } from "../../../config/model-name.ts";
import type { Config } from "../../../config/settings.ts";
import { createGoalFlows, type GoalFlows } from "../../../flows/builtin/goal.ts";
import { modelsForFlows } from "../models.ts";

/** Their forms at this service. */
export function goalFlowsOf(config: Config): GoalFlows {
  const [provider, model = null] = splitModel(config.goals.model);
  if (provider === undefined) return createGoalFlows(null);
  const known = modelsForFlows(config).known.get(provider);
  const isPriced = known?.priced.has(model ?? known.model ?? "") ?? false;
  return createGoalFlows({ provider, model, isPriced });
}
