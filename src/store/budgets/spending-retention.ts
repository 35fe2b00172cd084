/** Removes the ledger of calls when it is old, and the budgets of runs that are gone and of minutes that are over. */
import type { Database } from "../sql/pool.ts";
import { prepared } from "../sql/sql.ts";
import { hasFamily } from "./budget-rows.ts";

/** Rows that one statement removes. */
const BATCH = 500;

// Several instances may remove at once: each takes what the others have not locked.
const CALLS = prepared(
  "model_calls.remove_old",
  `WITH old AS (
    SELECT c.call_id FROM orchestrator.model_calls c
    WHERE c.settled_at < clock_timestamp() - $1::float8 * interval '1 millisecond'
    ORDER BY c.settled_at LIMIT $2 FOR UPDATE SKIP LOCKED
  )
  DELETE FROM orchestrator.model_calls WHERE call_id IN (SELECT call_id FROM old)`,
);

// A child run that goes on without the runs above it spends their budgets.
const BUDGETS = prepared(
  "budgets.remove_gone",
  `WITH gone AS (
    SELECT b.tenant_id, b.scope, b.id FROM orchestrator.budgets b
    WHERE b.scope IN ('run', 'minute') AND b.created_at < clock_timestamp() - $1::float8 * interval '1 millisecond'
      AND b.reserved_cost_micros = 0 AND b.reserved_tokens = 0
      AND (b.scope = 'minute' OR NOT ${hasFamily("true")})
    ORDER BY b.created_at LIMIT $2 FOR UPDATE SKIP LOCKED
  )
  DELETE FROM orchestrator.budgets b USING gone g WHERE b.tenant_id = g.tenant_id AND b.scope = g.scope AND b.id = g.id`,
);

const WAITS = prepared(
  "budget_waits.remove_ended",
  `WITH ended AS (
    SELECT w.tenant_id, w.scope, w.id, w.run_id FROM orchestrator.budget_waits w
    WHERE w.since < clock_timestamp() - $1::float8 * interval '1 millisecond'
      AND NOT EXISTS (SELECT FROM orchestrator.runs r WHERE r.run_id = w.run_id AND r.ended_at IS NULL)
    ORDER BY w.since LIMIT $2 FOR UPDATE SKIP LOCKED
  )
  DELETE FROM orchestrator.budget_waits w USING ended e
  WHERE w.tenant_id = e.tenant_id AND w.scope = e.scope AND w.id = e.id AND w.run_id = e.run_id`,
);

const ATTEMPTS = prepared(
  "counted_attempts.remove_gone",
  `WITH gone AS (
    SELECT a.attempt_id FROM orchestrator.counted_attempts a
    WHERE a.began_at < clock_timestamp() - $1::float8 * interval '1 millisecond'
      AND NOT EXISTS (SELECT FROM orchestrator.runs r WHERE r.run_id = a.run_id)
    ORDER BY a.began_at LIMIT $2 FOR UPDATE SKIP LOCKED
  )
  DELETE FROM orchestrator.counted_attempts WHERE attempt_id IN (SELECT attempt_id FROM gone)`,
);

/** What has no run any more is kept for so long, milliseconds: its call may be on its way. */
const GRACE_MS = 3_600_000;

/**
 * Removes calls that were settled more than `retentionMs` ago, all of which stay if that is infinite, and what belongs
 * to no run. Resolves with the rows.
 */
export async function removeOldSpending(
  { journal }: Pick<Database, "journal">,
  retentionMs: number,
  isStopping: () => boolean = () => false,
  graceMs = GRACE_MS,
): Promise<number> {
  let total = 0;
  const calls = Number.isFinite(retentionMs) ? [[CALLS, retentionMs] as const] : [];
  for (const [statement, ageMs] of [...calls, [BUDGETS, graceMs], [WAITS, graceMs], [ATTEMPTS, graceMs]] as const) {
    let removed = BATCH;
    while (removed === BATCH && !isStopping()) {
      removed = (await journal.query(statement, [ageMs, BATCH])).count;
      total += removed;
    }
  }
  return total;
}
