/** Rows of budgets, and the statements by which transactions lock and change them. */
import type { Amount, Budget, BudgetKey, BudgetLimits } from "../../engine/ports/models/budgets.ts";
import { exactInt8, prepared, type SqlRunner, type SqlValue } from "../sql/sql.ts";

/** Columns of a budget, of the table `b`. */
export const BUDGET_COLUMNS = [
  "b.tenant_id, b.scope, b.id",
  ...["max", "settled", "reserved"].flatMap((kind) =>
    ["cost_micros", "tokens", "steps", "time_ms"].map((of) => `${exactInt8(`b.${kind}_${of}`)} AS ${kind}_${of}`),
  ),
].join(", ");

/** A row with {@link BUDGET_COLUMNS}. */
export interface BudgetRow {
  readonly tenant_id: string;
  readonly scope: string;
  readonly id: string;
  readonly max_cost_micros: number | null;
  readonly max_tokens: number | null;
  readonly max_steps: number | null;
  readonly max_time_ms: number | null;
  readonly settled_cost_micros: number;
  readonly settled_tokens: number;
  readonly settled_steps: number;
  readonly settled_time_ms: number;
  readonly reserved_cost_micros: number;
  readonly reserved_tokens: number;
  readonly reserved_steps: number;
  readonly reserved_time_ms: number;
}

const CREATE = prepared(
  "budgets.create",
  `INSERT INTO orchestrator.budgets (tenant_id, scope, id, max_cost_micros, max_tokens, max_steps, max_time_ms, counts_attempts)
  SELECT b.*, b.steps IS NOT NULL OR b.time IS NOT NULL
  FROM unnest($1::text[], $2::text[], $3::text[], $4::int8[], $5::int8[], $6::int8[], $7::int8[])
    AS b (tenant_id, scope, id, cost, tokens, steps, time)
  ORDER BY b.tenant_id, b.scope, b.id ON CONFLICT DO NOTHING`,
);

const LOCK = prepared(
  "budgets.lock",
  `SELECT ${BUDGET_COLUMNS}
  FROM orchestrator.budgets b
  WHERE (b.tenant_id, b.scope, b.id) IN (SELECT * FROM unnest($1::text[], $2::text[], $3::text[]))
  ORDER BY b.tenant_id, b.scope, b.id FOR UPDATE`,
);

const CHANGE = prepared(
  "budgets.change",
  `UPDATE orchestrator.budgets b SET settled_cost_micros = n.settled_cost, settled_tokens = n.settled_tokens,
    settled_steps = n.settled_steps, settled_time_ms = n.settled_time, reserved_cost_micros = n.reserved_cost,
    reserved_tokens = n.reserved_tokens, reserved_steps = n.reserved_steps, reserved_time_ms = n.reserved_time
  FROM unnest($1::text[], $2::text[], $3::text[], $4::int8[], $5::int8[], $6::int8[], $7::int8[], $8::int8[], $9::int8[],
      $10::int8[], $11::int8[])
    AS n (tenant_id, scope, id, settled_cost, settled_tokens, settled_steps, settled_time, reserved_cost, reserved_tokens,
      reserved_steps, reserved_time)
  WHERE b.tenant_id = n.tenant_id AND b.scope = n.scope AND b.id = n.id`,
);

const WAIT = prepared(
  "budget_waits.insert",
  `INSERT INTO orchestrator.budget_waits (tenant_id, scope, id, run_id)
  SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[])
  ON CONFLICT (tenant_id, scope, id, run_id) DO UPDATE SET raised = false`,
);

/**
 * SQL: whether a run `r` of the same root as that of the budget `b` meets a condition. The id of a child run begins
 * with that of its root and `~`.
 */
export function hasFamily(condition: string): string {
  return `EXISTS (
    SELECT FROM orchestrator.runs r, split_part(b.id, '~', 1) AS root
    WHERE (r.run_id = root OR (r.run_id >= root || '~' AND r.run_id < root || E'\\x7f')) AND ${condition})`;
}

/** Creates the budgets that do not exist, and locks those that do, in the order of their keys. */
export async function lockBudgets(
  runner: SqlRunner,
  budgets: readonly BudgetKey[],
  missing: readonly (BudgetKey & BudgetLimits)[],
): Promise<readonly Budget[]> {
  if (missing.length > 0)
    await runner.query(CREATE, [
      ...keysOf(missing),
      missing.map(({ maxCostMicros }) => maxCostMicros),
      missing.map(({ maxTokens }) => maxTokens),
      missing.map(({ maxSteps }) => maxSteps),
      missing.map(({ maxTimeMs }) => maxTimeMs),
    ]);
  return (await runner.query<BudgetRow>(LOCK, keysOf(budgets))).rows.map(toBudget);
}

/** Writes what is settled and reserved in budgets that are locked, and the runs that wait for a raise. */
export async function writeBudgets(
  runner: SqlRunner,
  budgets: readonly Budget[],
  waiting: readonly (BudgetKey & { readonly runId: string })[],
): Promise<void> {
  if (budgets.length > 0) {
    const settled = amountsOf(budgets.map((budget) => budget.settled));
    const reserved = amountsOf(budgets.map((budget) => budget.reserved));
    await runner.query(CHANGE, [...keysOf(budgets), ...settled, ...reserved]);
  }
  if (waiting.length > 0) await runner.query(WAIT, [...keysOf(waiting), waiting.map(({ runId }) => runId)]);
}

function amountsOf(amounts: readonly Amount[]): SqlValue[] {
  return [
    amounts.map(({ costMicros }) => costMicros),
    amounts.map(({ tokens }) => tokens),
    amounts.map(({ steps }) => steps),
    amounts.map(({ timeMs }) => timeMs),
  ];
}

function keysOf(keys: readonly BudgetKey[]): SqlValue[] {
  return [keys.map(({ tenantId }) => tenantId), keys.map(({ scope }) => scope), keys.map(({ id }) => id)];
}

/** The budget of a row. */
export function toBudget(row: BudgetRow): Budget {
  return {
    tenantId: row.tenant_id,
    scope: row.scope as BudgetKey["scope"],
    id: row.id,
    maxCostMicros: row.max_cost_micros,
    maxTokens: row.max_tokens,
    maxSteps: row.max_steps,
    maxTimeMs: row.max_time_ms,
    settled: {
      costMicros: row.settled_cost_micros,
      tokens: row.settled_tokens,
      steps: row.settled_steps,
      timeMs: row.settled_time_ms,
    },
    reserved: {
      costMicros: row.reserved_cost_micros,
      tokens: row.reserved_tokens,
      steps: row.reserved_steps,
      timeMs: row.reserved_time_ms,
    },
  };
}
