import { invariant } from "../base/errors.ts";
import type { Database } from "./sql/pool.ts";
import { prepared, spanMs } from "./sql/sql.ts";

/** From when on something due is overdue, seconds: owners look for what is due every 10 s. */
const OVERDUE_SECONDS = 30;

// An owner starts what is due, so what is long overdue has none, or was forgotten. Runs in quarantine are not touched.
const COUNTS = prepared(
  "counts.gauges",
  `WITH overdue AS (
    SELECT wake_at FROM orchestrator.runs
    WHERE ended_at IS NULL AND wake_at < clock_timestamp() - interval '${OVERDUE_SECONDS} s' AND state <> 'QUARANTINED' LIMIT 10000
  ), unsent AS (
    SELECT o.created_at FROM orchestrator.shard_leases l
    CROSS JOIN LATERAL (SELECT created_at FROM orchestrator.outbox WHERE shard = l.shard ORDER BY id LIMIT 1) o
  )
  SELECT (SELECT count(*) FROM orchestrator.dead_letters) AS "deadLetters",
    (SELECT count(*) FROM orchestrator.operations WHERE ended_at IS NULL) AS "openOperations",
    (SELECT count(*) FROM orchestrator.outbox_rejected) AS undelivered,
    (SELECT count(DISTINCT run_id) FROM orchestrator.unshown_goals) AS "unshownGoals",
    (SELECT count(*) FROM overdue) AS "overdueRuns",
    (SELECT greatest(0, max(i.reads) - max(s.value::int)) FROM orchestrator.instances i, orchestrator.settings s
      WHERE i.expires_at > clock_timestamp() AND s.name = 'journal_version') AS "unfinalizedVersions",
    (SELECT coalesce(json_object_agg(state, count), '{}')
      FROM (SELECT state, sum(count)::float8 AS count FROM orchestrator.run_totals GROUP BY state) AS states) AS "runs",
    ${ageOf("min(wake_at) FROM overdue")} AS "overdueSeconds",
    ${ageOf("min(created_at) FROM orchestrator.dead_letters")} AS "deadLetterSeconds",
    ${ageOf("min(created_at) FROM unsent")} AS "outboxSeconds"`,
);

/** Age of a time that may be missing, seconds. */
function ageOf(time: string): string {
  return `coalesce(greatest(0, ${spanMs(`(SELECT ${time})`, "clock_timestamp()")}) / 1000, 0)`;
}

/** Numbers for gauges, over all tenants. */
export interface StoreCounts {
  /** Runs by their public state, those that have ended included. */
  readonly runs: Readonly<Record<string, number>>;
  /** Runs with something long overdue, at most 10,000, and how long the first has waited, seconds. */
  readonly overdueRuns: number;
  readonly overdueSeconds: number;
  /** Tasks that used up their attempts and are kept as dead letters, and the age of the oldest, seconds. */
  readonly deadLetters: number;
  readonly deadLetterSeconds: number;
  /** Operations that have not ended. */
  readonly openOperations: number;
  /** Messages that are not tried any more and are kept for operators. */
  readonly undelivered: number;
  /** Age of the oldest message that waits to be sent, seconds. */
  readonly outboxSeconds: number;
  /** Versions of the journal's format that instances read and that no upgrade was finalized to. */
  readonly unfinalizedVersions: number;
  /** Goals whose last change the tables of goals do not show yet. */
  readonly unshownGoals: number;
}

/** Reads them from sums and indexes; the tables that are counted hold what operators have to look at. */
export async function readStoreCounts(database: Database): Promise<StoreCounts> {
  const { rows } = await database.reads.query<StoreCounts>(COUNTS);
  const [row] = rows;
  invariant(row, "the counts are one row");
  return row;
}
