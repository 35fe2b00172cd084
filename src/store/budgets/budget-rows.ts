import type { Budget, BudgetScope } from "../../engine/ports/models/budgets.ts";

/** Columns of a budget, of the table `b`. */
export const BUDGET_COLUMNS = `b.tenant_id, b.scope, b.id, b.max_cost_micros, b.max_tokens, b.settled_cost_micros, b.settled_tokens,
  b.reserved_cost_micros, b.reserved_tokens`;

/** A row with {@link BUDGET_COLUMNS}. */
export interface BudgetRow {
  readonly tenant_id: string;
  readonly scope: string;
  readonly id: string;
  readonly max_cost_micros: number | null;
  readonly max_tokens: number | null;
  readonly settled_cost_micros: number;
  readonly settled_tokens: number;
  readonly reserved_cost_micros: number;
  readonly reserved_tokens: number;
}

/** The budget of a row. */
export function toBudget(row: BudgetRow): Budget {
  return {
    tenantId: row.tenant_id,
    scope: row.scope as BudgetScope,
    id: row.id,
    maxCostMicros: row.max_cost_micros,
    maxTokens: row.max_tokens,
    settled: { costMicros: row.settled_cost_micros, tokens: row.settled_tokens },
    reserved: { costMicros: row.reserved_cost_micros, tokens: row.reserved_tokens },
  };
}
