/** Counted attempts that are under way, and the budgets that they spend. */
import type { AttemptLedger, OpenAttempt } from "../../engine/ports/models/attempts.ts";
import type { Database } from "../sql/pool.ts";
import { exactInt8, prepared, spanMs } from "../sql/sql.ts";
import { lockBudgets, writeBudgets } from "./budget-rows.ts";

const LOCK = prepared(
  "counted_attempts.lock",
  `SELECT a.attempt_id, a.attempt_key, a.tenant_id, a.run_id, ${exactInt8("a.reserved_time_ms")} AS reserved_time_ms, a.charged, a.handed_out,
    ${spanMs("a.began_at", "clock_timestamp()")} AS age_ms,
    NOT EXISTS (SELECT FROM orchestrator.runs r WHERE r.run_id = a.run_id AND r.ended_at IS NULL) AS run_over
  FROM orchestrator.counted_attempts a
  WHERE a.attempt_key = ANY($1::text[]) OR a.charged && $2::text[]
  ORDER BY a.attempt_id FOR UPDATE`,
);

const OPEN = prepared(
  "counted_attempts.open",
  `INSERT INTO orchestrator.counted_attempts (attempt_id, attempt_key, tenant_id, run_id, reserved_time_ms, charged, handed_out)
  SELECT n.attempt_id, n.attempt_key, n.tenant_id, n.run_id, n.time, ARRAY(SELECT jsonb_array_elements_text(n.charged::jsonb)), n.handed_out
  FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::int8[], $6::text[], $7::bool[])
    AS n (attempt_id, attempt_key, tenant_id, run_id, time, charged, handed_out)`,
);

const END = prepared(
  "counted_attempts.end",
  "DELETE FROM orchestrator.counted_attempts WHERE attempt_id = ANY($1::uuid[])",
);

interface AttemptRow {
  readonly attempt_id: string;
  readonly attempt_key: string;
  readonly tenant_id: string;
  readonly run_id: string;
  readonly reserved_time_ms: number;
  readonly charged: readonly string[];
  readonly handed_out: boolean;
  readonly age_ms: number;
  readonly run_over: boolean;
}

/** The ledger of a database. */
export function createAttemptLedger({ reads }: Database): AttemptLedger {
  return {
    transact: ({ budgets, missing, keys, chargedTo }, decide) =>
      reads.transaction(async (runner) => {
        const locked = await lockBudgets(runner, budgets, missing);
        const { rows } = await runner.query<AttemptRow>(LOCK, [keys, chargedTo]);
        const changes = decide(locked, rows.map(toOpenAttempt));
        await writeBudgets(runner, changes.budgets, changes.waiting);
        if (changes.ended.length > 0) await runner.query(END, [changes.ended]);
        if (changes.opened.length > 0) await runner.query(OPEN, columnsOf(changes.opened));
      }),
  };
}

function columnsOf(attempts: readonly OpenAttempt[]) {
  return [
    attempts.map(({ attemptId }) => attemptId),
    attempts.map(({ key }) => key),
    attempts.map(({ tenantId }) => tenantId),
    attempts.map(({ runId }) => runId),
    attempts.map(({ reservedTimeMs }) => reservedTimeMs),
    attempts.map(({ charged }) => JSON.stringify(charged)),
    attempts.map(({ handedOut }) => handedOut),
  ];
}

function toOpenAttempt(row: AttemptRow): OpenAttempt {
  return {
    attemptId: row.attempt_id,
    key: row.attempt_key,
    tenantId: row.tenant_id,
    runId: row.run_id,
    reservedTimeMs: row.reserved_time_ms,
    charged: row.charged,
    handedOut: row.handed_out,
    ageMs: row.age_ms,
    isRunOver: row.run_over,
  };
}
