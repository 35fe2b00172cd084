import type { RunBudget } from "../../flows/plan.ts";
import type { BudgetKey, BudgetLimits } from "../ports/models/budgets.ts";

/** The budget of a run, as its flow writes it. */
export function runBudgetOf(tenantId: string, budget: RunBudget): BudgetKey & BudgetLimits {
  const { runId: id, maxCostMicros = null, maxTokens = null, maxSteps = null, maxTimeMs = null } = budget;
  return { tenantId, scope: "run", id, maxCostMicros, maxTokens, maxSteps, maxTimeMs };
}
