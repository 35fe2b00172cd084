/**
 * The ledger of calls to models, and the budgets that they spend: rows that a transaction locks in one order, so that
 * calls at all instances see each other's reserves.
 */
import type {
  BudgetKey,
  BudgetLedger,
  BudgetScope,
  CallSettlement,
  LedgerChanges,
  LedgerQuery,
  NewCall,
  OpenCall,
} from "../../engine/ports/models/budgets.ts";
import type { Database } from "../sql/pool.ts";
import { prepared, type SqlRunner, type SqlValue } from "../sql/sql.ts";
import { BUDGET_COLUMNS, type BudgetRow, toBudget } from "./budget-rows.ts";

const CREATE = prepared(
  "budgets.create",
  `INSERT INTO orchestrator.budgets (tenant_id, scope, id, max_cost_micros, max_tokens)
  SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::int8[], $5::int8[]) AS b (tenant_id, scope, id, cost, tokens)
  ORDER BY b.tenant_id, b.scope, b.id ON CONFLICT DO NOTHING`,
);

const LOCK = prepared(
  "budgets.lock",
  `SELECT ${BUDGET_COLUMNS}
  FROM orchestrator.budgets b
  WHERE (b.tenant_id, b.scope, b.id) IN (SELECT * FROM unnest($1::text[], $2::text[], $3::text[]))
  ORDER BY b.tenant_id, b.scope, b.id FOR UPDATE`,
);

const OPEN_CALL = "c.call_id, c.call_key, c.tenant_id, c.reserved_cost_micros, c.reserved_tokens, c.charged";

const LOCK_CALLS = prepared(
  "model_calls.lock",
  `SELECT ${OPEN_CALL} FROM orchestrator.model_calls c
  WHERE c.settled_at IS NULL AND (c.call_id = ANY($1::uuid[]) OR c.call_key = ANY($2::text[]))
  ORDER BY c.call_id FOR UPDATE`,
);

const CHANGE = prepared(
  "budgets.change",
  `UPDATE orchestrator.budgets b SET settled_cost_micros = n.settled_cost, settled_tokens = n.settled_tokens,
    reserved_cost_micros = n.reserved_cost, reserved_tokens = n.reserved_tokens
  FROM unnest($1::text[], $2::text[], $3::text[], $4::int8[], $5::int8[], $6::int8[], $7::int8[])
    AS n (tenant_id, scope, id, settled_cost, settled_tokens, reserved_cost, reserved_tokens)
  WHERE b.tenant_id = n.tenant_id AND b.scope = n.scope AND b.id = n.id`,
);

const OPEN = prepared(
  "model_calls.open",
  `INSERT INTO orchestrator.model_calls (call_id, call_key, tenant_id, run_id, flow_id, user_id, task_path, attempt, provider, model,
    input_price_micros, output_price_micros, reserved_cost_micros, reserved_tokens, charged, instance_id)
  SELECT n.call_id, n.call_key, n.tenant_id, n.run_id, n.flow_id, n.user_id, n.task_path, n.attempt, n.provider, n.model,
    n.input_price, n.output_price, n.cost, n.tokens, n.charged::jsonb, $16
  FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::int4[], $9::text[], $10::text[],
    $11::int8[], $12::int8[], $13::int8[], $14::int8[], $15::text[])
    AS n (call_id, call_key, tenant_id, run_id, flow_id, user_id, task_path, attempt, provider, model, input_price, output_price, cost, tokens, charged)`,
);

const SETTLE = prepared(
  "model_calls.settle",
  `UPDATE orchestrator.model_calls c SET settled_at = clock_timestamp(), input_tokens = n.input, output_tokens = n.output,
    cost_micros = n.cost, basis = n.basis
  FROM unnest($1::uuid[], $2::int8[], $3::int8[], $4::int8[], $5::text[]) AS n (call_id, input, output, cost, basis)
  WHERE c.call_id = n.call_id`,
);

const WAIT = prepared(
  "budget_waits.insert",
  `INSERT INTO orchestrator.budget_waits (tenant_id, scope, id, run_id)
  SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[])
  ON CONFLICT (tenant_id, scope, id, run_id) DO UPDATE SET raised = false`,
);

const ABANDONED = prepared(
  "model_calls.abandoned",
  `SELECT ${OPEN_CALL} FROM orchestrator.model_calls c
  WHERE c.settled_at IS NULL AND c.instance_id NOT IN (SELECT i.instance_id FROM orchestrator.instances i WHERE i.expires_at > clock_timestamp())
  ORDER BY c.call_key LIMIT $1`,
);

interface CallRow {
  readonly call_id: string;
  readonly call_key: string;
  readonly tenant_id: string;
  readonly reserved_cost_micros: number;
  readonly reserved_tokens: number;
  readonly charged: readonly (readonly [BudgetScope, string])[];
}

/** The ledger of a database, for the calls of an instance. */
export function createBudgetLedger({ reads }: Database, instanceId: string): BudgetLedger {
  return {
    transact: (query, decide) =>
      reads.transaction(async (runner) => {
        const view = await lock(runner, query);
        await write(runner, decide(view), instanceId);
      }),
    listAbandoned: async (limit) => (await reads.query<CallRow>(ABANDONED, [limit])).rows.map(toOpenCall),
  };
}

async function lock(runner: SqlRunner, { budgets, missing, callIds, callKeys }: LedgerQuery) {
  if (missing.length > 0)
    await runner.query(CREATE, [
      ...keysOf(missing),
      missing.map(({ maxCostMicros }) => maxCostMicros),
      missing.map(({ maxTokens }) => maxTokens),
    ]);
  const { rows } = await runner.query<BudgetRow>(LOCK, keysOf(budgets));
  const calls = await runner.query<CallRow>(LOCK_CALLS, [callIds, callKeys]);
  return { budgets: rows.map(toBudget), open: calls.rows.map(toOpenCall) };
}

async function write(runner: SqlRunner, changes: LedgerChanges, instanceId: string): Promise<void> {
  const { budgets, opened, settled, waiting } = changes;
  if (budgets.length > 0)
    await runner.query(CHANGE, [
      ...keysOf(budgets),
      budgets.map((budget) => budget.settled.costMicros),
      budgets.map((budget) => budget.settled.tokens),
      budgets.map((budget) => budget.reserved.costMicros),
      budgets.map((budget) => budget.reserved.tokens),
    ]);
  if (opened.length > 0) await runner.query(OPEN, [...callsOf(opened), instanceId]);
  if (settled.length > 0) await runner.query(SETTLE, settlementsOf(settled));
  if (waiting.length > 0) await runner.query(WAIT, [...keysOf(waiting), waiting.map(({ runId }) => runId)]);
}

function keysOf(keys: readonly BudgetKey[]): SqlValue[] {
  return [keys.map(({ tenantId }) => tenantId), keys.map(({ scope }) => scope), keys.map(({ id }) => id)];
}

function callsOf(calls: readonly NewCall[]): SqlValue[] {
  return [
    calls.map(({ callId }) => callId),
    calls.map(({ callKey }) => callKey),
    calls.map(({ call }) => call.tenantId),
    calls.map(({ call }) => call.runId),
    calls.map(({ call }) => call.flowId),
    calls.map(({ call }) => call.userId),
    calls.map(({ call }) => call.path),
    calls.map(({ call }) => call.attempt),
    calls.map(({ call }) => call.provider),
    calls.map(({ call }) => call.model),
    calls.map(({ call }) => call.inputPriceMicros),
    calls.map(({ call }) => call.outputPriceMicros),
    calls.map(({ reserved }) => reserved.costMicros),
    calls.map(({ reserved }) => reserved.tokens),
    calls.map(({ charged }) => JSON.stringify(charged.map(({ scope, id }) => [scope, id]))),
  ];
}

function settlementsOf(settled: readonly CallSettlement[]): SqlValue[] {
  return [
    settled.map(({ callId }) => callId),
    settled.map(({ usage }) => usage.inputTokens),
    settled.map(({ usage }) => usage.outputTokens),
    settled.map(({ usage }) => usage.costMicros),
    settled.map(({ usage }) => usage.basis),
  ];
}

function toOpenCall(row: CallRow): OpenCall {
  return {
    callId: row.call_id,
    callKey: row.call_key,
    reserved: { costMicros: row.reserved_cost_micros, tokens: row.reserved_tokens },
    charged: row.charged.map(([scope, id]) => ({ tenantId: row.tenant_id, scope, id })),
  };
}
