/**
 * The ledger of calls to models, and the budgets that they spend: rows that a transaction locks in one order, so that
 * calls at all instances see each other's reserves.
 */
import type {
  BudgetKey,
  BudgetLedger,
  CallSettlement,
  LedgerChanges,
  LedgerQuery,
  NewCall,
  OpenCall,
} from "../../engine/ports/models/budgets.ts";
import type { Database } from "../sql/pool.ts";
import { exactInt8, prepared, type SqlRunner, type SqlValue } from "../sql/sql.ts";
import { lockBudgets, writeBudgets } from "./budget-rows.ts";

const OPEN_CALL = `c.call_id, c.call_key, c.tenant_id, c.run_id, ${exactInt8("c.reserved_cost_micros")} AS reserved_cost_micros,
    ${exactInt8("c.reserved_tokens")} AS reserved_tokens, c.charged`;

const LOCK_CALLS = prepared(
  "model_calls.lock",
  `SELECT ${OPEN_CALL} FROM orchestrator.model_calls c
  WHERE c.settled_at IS NULL AND (c.call_id = ANY($1::uuid[]) OR c.call_key = ANY($2::text[]))
  ORDER BY c.call_id FOR UPDATE`,
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
  readonly run_id: string;
  readonly reserved_cost_micros: number;
  readonly reserved_tokens: number;
  readonly charged: readonly (readonly [BudgetKey["scope"], string])[];
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
  const locked = await lockBudgets(runner, budgets, missing);
  const calls = await runner.query<CallRow>(LOCK_CALLS, [callIds, callKeys]);
  return { budgets: locked, open: calls.rows.map(toOpenCall) };
}

async function write(runner: SqlRunner, changes: LedgerChanges, instanceId: string): Promise<void> {
  const { budgets, opened, settled, waiting } = changes;
  await writeBudgets(runner, budgets, waiting);
  if (opened.length > 0) await runner.query(OPEN, [...callsOf(opened), instanceId]);
  if (settled.length > 0) await runner.query(SETTLE, settlementsOf(settled));
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
    runId: row.run_id,
    reserved: { costMicros: row.reserved_cost_micros, tokens: row.reserved_tokens, steps: 0, timeMs: 0 },
    charged: row.charged.map(([scope, id]) => ({ tenantId: row.tenant_id, scope, id })),
  };
}
