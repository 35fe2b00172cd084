/** Budgets as operators see and change them, and what calls to models have used. */
import { fail } from "../../base/errors.ts";
import type {
  BudgetControl,
  BudgetRaises,
  BudgetScope,
  BudgetView,
  UsageGroup,
  UsageLine,
} from "../../engine/ports/models/budgets.ts";
import type { Database } from "../sql/pool.ts";
import { prepared } from "../sql/sql.ts";
import { BUDGET_COLUMNS, type BudgetRow, hasFamily, toBudget } from "./budget-rows.ts";

const CHANNEL = "orchestrator_budgets";

/** Behind a pooler nothing is announced, and raises are looked for so often, milliseconds. */
const POLL_EVERY_MS = 2_000;

// A run that was resumed by hand, or has ended, does not wait, whatever its row says; one that waits is suspended.
const VIEW = `${BUDGET_COLUMNS}, b.counts_attempts, b.actor, b.reason, b.updated_at,
  (SELECT count(*) FROM orchestrator.budget_waits w JOIN orchestrator.runs r ON r.run_id = w.run_id
    WHERE w.tenant_id = b.tenant_id AND w.scope = b.scope AND w.id = b.id AND NOT w.raised
      AND r.ended_at IS NULL AND r.state IN ('SUSPENDED', 'PAUSED'))::int4 AS waiting`;

// The budget of a deleted run is kept a while for calls that are on their way, and nobody sees it, unless a run below
// it, which goes on without it, still spends it.
const SEEN = `(b.scope <> 'run' OR EXISTS (SELECT FROM orchestrator.runs r WHERE r.tenant_id = b.tenant_id AND r.run_id = b.id)
  OR ${hasFamily("r.tenant_id = b.tenant_id AND r.ended_at IS NULL")})`;

const GET = prepared(
  "budgets.get",
  `SELECT ${VIEW} FROM orchestrator.budgets b WHERE b.tenant_id = $1 AND b.scope = $2 AND b.id = $3 AND ${SEEN}`,
);

const LIST = prepared(
  "budgets.list",
  `SELECT ${VIEW} FROM orchestrator.budgets b
  WHERE b.tenant_id = $1 AND b.scope <> 'minute' AND ($2::text = '' OR b.scope = $2) AND (b.scope, b.id) > ($3::text, $4::text)
    AND ${SEEN}
  ORDER BY b.scope, b.id LIMIT $5`,
);

const PUT = prepared(
  "budgets.put",
  `INSERT INTO orchestrator.budgets AS b (tenant_id, scope, id, max_cost_micros, max_tokens, max_steps, max_time_ms, actor, reason)
  SELECT $1, $2, $3, $4::int8, $5::int8, $6::int8, $7::int8, $8, $9
  WHERE $10::bool OR EXISTS (SELECT FROM orchestrator.budgets b WHERE b.tenant_id = $1 AND b.scope = $2 AND b.id = $3 AND ${SEEN})
  ON CONFLICT (tenant_id, scope, id) DO UPDATE SET max_cost_micros = excluded.max_cost_micros, max_tokens = excluded.max_tokens,
    max_steps = excluded.max_steps, max_time_ms = excluded.max_time_ms,
    actor = excluded.actor, reason = excluded.reason, updated_at = clock_timestamp()`,
);

const RAISE = prepared(
  "budgets.raise",
  `WITH raised AS (
    UPDATE orchestrator.budget_waits SET raised = true WHERE tenant_id = $1 AND scope = $2 AND id = $3 RETURNING 1
  )
  SELECT pg_notify('${CHANNEL}', '') FROM (SELECT count(*) AS runs FROM raised) AS r WHERE r.runs > 0`,
);

const RAISED = prepared(
  "budget_waits.raised",
  `SELECT w.tenant_id, w.run_id, max(b.actor) AS actor, max(b.reason) AS reason FROM orchestrator.budget_waits w
  JOIN orchestrator.budgets b ON b.tenant_id = w.tenant_id AND b.scope = w.scope AND b.id = w.id
  WHERE w.raised AND w.run_id > $1 GROUP BY w.tenant_id, w.run_id ORDER BY w.run_id LIMIT $2`,
);

const FORGET = prepared(
  "budget_waits.forget",
  "DELETE FROM orchestrator.budget_waits WHERE tenant_id = $1 AND run_id = $2 AND raised",
);

/** How calls are grouped. */
const GROUPS: Readonly<Record<UsageGroup, string>> = {
  flow: "c.flow_id",
  model: "c.provider || '/' || c.model",
  user: "c.user_id",
  day: "to_char(c.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD')",
  run: "c.run_id",
};

interface ViewRow extends BudgetRow {
  readonly counts_attempts: boolean;
  readonly actor: string;
  readonly reason: string;
  readonly updated_at: number;
  readonly waiting: number;
}

interface UsageRow {
  readonly calls: number;
  readonly input_tokens: number;
  readonly output_tokens: number;
  readonly cost_micros: number;
  readonly estimated: number;
  readonly unpriced: number;
}

/** The budgets of a database. */
export function createBudgetControl(database: Database): BudgetControl & BudgetRaises {
  const { reads } = database;
  const get = async (tenantId: string, scope: BudgetScope, id: string): Promise<BudgetView | null> => {
    const [row] = (await reads.query<ViewRow>(GET, [tenantId, scope, id])).rows;
    return row === undefined ? null : toView(row);
  };
  return {
    getBudget: ({ tenantId }, { scope, id }) => get(tenantId, scope, id),
    listBudgets: async ({ tenantId }, scope, after, limit) => {
      const values = [tenantId, scope ?? "", after?.scope ?? "", after?.id ?? "", limit];
      return (await reads.query<ViewRow>(LIST, values)).rows.map(toView);
    },
    setLimits: async ({ tenantId, actor }, { scope, id }, limits, why, create) => {
      const { maxCostMicros, maxTokens, maxSteps, maxTimeMs } = limits;
      await reads.transaction(async (runner) => {
        const key = [tenantId, scope, id];
        const { count } = await runner.query(PUT, [
          ...key,
          maxCostMicros,
          maxTokens,
          maxSteps,
          maxTimeMs,
          actor,
          why,
          create,
        ]);
        if (count === 0) fail("BUDGET_NOT_FOUND", { budgetId: scope === "tenant" ? scope : `${scope}.${id}` });
        await runner.query(RAISE, key);
      });
      return (
        (await get(tenantId, scope, id)) ??
        fail("BUDGET_NOT_FOUND", { budgetId: scope === "tenant" ? scope : `${scope}.${id}` })
      );
    },
    listUsage: async ({ tenantId }, { from, to, by, flowId, skip, limit }) => {
      const columns = by.map((group) => `${GROUPS[group]} AS "by_${group}"`);
      const places = by.map((_, index) => index + 1).join(", ");
      const { rows } = await reads.query<UsageRow & Readonly<Record<string, string>>>(
        `SELECT ${columns.map((column) => `${column}, `).join("")}count(*)::float8 AS calls,
          coalesce(sum(c.input_tokens), 0)::float8 AS input_tokens, coalesce(sum(c.output_tokens), 0)::float8 AS output_tokens,
          coalesce(sum(c.cost_micros), 0)::float8 AS cost_micros,
          count(*) FILTER (WHERE c.basis <> 'reported')::float8 AS estimated, count(*) FILTER (WHERE c.cost_micros IS NULL)::float8 AS unpriced
        FROM orchestrator.model_calls c
        WHERE c.tenant_id = $1 AND c.created_at >= to_timestamp($2::float8 / 1000) AND c.created_at < to_timestamp($3::float8 / 1000)
          AND c.settled_at IS NOT NULL AND ($4::text = '' OR c.flow_id = $4)
        ${by.length === 0 ? "" : `GROUP BY ${places} ORDER BY ${places}`} LIMIT $5 OFFSET $6`,
        [tenantId, from, to, flowId, limit, skip],
      );
      return rows.map((row): UsageLine => toUsage(row, by));
    },
    listRaised: async (after, limit) => {
      type Row = Record<"tenant_id" | "run_id" | "actor" | "reason", string>;
      const { rows } = await reads.query<Row>(RAISED, [after, limit]);
      return rows.map((row) => ({ tenantId: row.tenant_id, runId: row.run_id, by: row.actor, why: row.reason }));
    },
    forget: async (tenantId, runId) => void (await reads.query(FORGET, [tenantId, runId])),
    listen: (listener) => database.listen(CHANNEL, () => listener(), { pollMs: POLL_EVERY_MS }),
  };
}

function toView(row: ViewRow): BudgetView {
  const { counts_attempts: countsAttempts, actor: by, reason: why, updated_at: updatedAt, waiting: waitingRuns } = row;
  return { ...toBudget(row), scope: row.scope as BudgetScope, countsAttempts, by, why, updatedAt, waitingRuns };
}

function toUsage(row: UsageRow & Readonly<Record<string, string>>, by: readonly UsageGroup[]): UsageLine {
  return {
    group: Object.fromEntries(by.map((group) => [group, row[`by_${group}`] ?? ""])),
    calls: row.calls,
    inputTokens: row.input_tokens,
    outputTokens: row.output_tokens,
    costMicros: row.cost_micros,
    estimatedCalls: row.estimated,
    unpricedCalls: row.unpriced,
  };
}
