/** The flows of goals: who plans them, and who judges their results. */
import { splitModel } from "../../../config/model-name.ts";
import type { Config } from "../../../config/settings.ts";
import { createGoalFlows, type GoalFlows, type JudgeModel, type PlanRules } from "../../../flows/builtin/goal.ts";
import type { DraftWriter } from "./generation.ts";

/** The flows of goals at this service. `writer`: who writes plans; null: nobody. */
export function goalFlowsOf(config: Config, writer: DraftWriter | null): GoalFlows {
  return createGoalFlows(judgeOf(config), planRulesOf(config, writer));
}

function judgeOf(config: Config): JudgeModel | null {
  const [provider, model = null] = splitModel(config.goals.model);
  if (provider === undefined) return null;
  return { provider, model };
}

function planRulesOf({ goals }: Config, writer: DraftWriter | null): PlanRules | null {
  if (writer === null) return null;
  // A goal that waits is better than one that fails because the agent was not there.
  const { plans = writer.isUncertain ? "elsewhere" : "ask", services, maxConcurrent } = goals;
  if (plans === "elsewhere") return null;
  return {
    generation: writer.flow,
    approve: plans === "ask" ? "person" : "none",
    services,
    maxConcurrent,
    isDefault: goals.plans === undefined,
  };
}
