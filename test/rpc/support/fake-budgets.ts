import { fail } from "../../../src/base/errors.ts";
import type { BudgetControl } from "../../../src/engine/ports/models/budgets.ts";

/** Budgets of a service that has none. */
export function createFakeBudgets(): BudgetControl {
  return {
    getBudget: async () => null,
    listBudgets: async () => [],
    setLimits: async (_, { scope, id }) => fail("BUDGET_NOT_FOUND", { budgetId: `${scope}.${id}` }),
    listUsage: async () => [],
  };
}
