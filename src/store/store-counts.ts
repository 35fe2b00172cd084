import type { Database } from "./sql/pool.ts";
import { prepared } from "./sql/sql.ts";

const COUNTS = prepared(
  "counts.gauges",
  `SELECT (SELECT count(*) FROM orchestrator.runs WHERE ended_at IS NULL) AS active_runs,
    (SELECT count(*) FROM orchestrator.dead_letters) AS dead_letters,
    (SELECT count(*) FROM orchestrator.operations WHERE ended_at IS NULL) AS open_operations,
    (SELECT count(*) FROM orchestrator.outbox_rejected) AS undelivered,
    (SELECT count(DISTINCT run_id) FROM orchestrator.unshown_goals) AS unshown_goals`,
);

/** Numbers for gauges, over all tenants. */
export interface StoreCounts {
  /** Runs that have not ended. */
  readonly activeRuns: number;
  /** Tasks that used up their attempts and are kept as dead letters. */
  readonly deadLetters: number;
  /** Operations that have not ended. */
  readonly openOperations: number;
  /** Messages that are not tried any more and are kept for operators. */
  readonly undelivered: number;
  /** Goals whose last change the tables of goals do not show yet. */
  readonly unshownGoals: number;
}

/** Counts by index; takes a few milliseconds per 100,000 open runs. Errors: those of the store. */
export async function readStoreCounts(database: Database): Promise<StoreCounts> {
  const { rows } = await database.reads.query<{
    active_runs: number;
    dead_letters: number;
    open_operations: number;
    undelivered: number;
    unshown_goals: number;
  }>(COUNTS);
  const [row] = rows;
  return {
    activeRuns: row?.active_runs ?? 0,
    deadLetters: row?.dead_letters ?? 0,
    openOperations: row?.open_operations ?? 0,
    undelivered: row?.undelivered ?? 0,
    unshownGoals: row?.unshown_goals ?? 0,
  };
}
