/**
 * What a database needs after a restore from a backup, before the service may use it.
 *
 * The service did things after the backup that the database does not know: it raised epochs, gave out fencing tokens,
 * and sent messages with the sequences of runs. All of these numbers are raised beyond what it can have used, so that
 * what is still under way outside is recognized as outdated, and readers outside do not take what is new for a
 * repetition.
 */
import { fail } from "../base/errors.ts";
import { formatRfc3339 } from "../base/time/rfc3339.ts";
import { readDatabaseIdentity } from "./database-identity.ts";
import type { Database } from "./sql/pool.ts";
import { prepared, type SqlRunner } from "./sql/sql.ts";

/**
 * By how much numbers are raised at least, and for each second since the backup: more than a run, or a lease, can have
 * used. The time is there because one backup may be restored more than once, and what followed the first restore must
 * not be taken for what follows the second.
 */
const STEP = 1_000_000;
const STEP_PER_SECOND = 20;
/** Numbers that were raised fit an integer. A backup of a year and a half before needs as much. */
const MAX_STEP = 1_000_000_000;

/** Runs whose sequences are higher are damaged: none of them is written to. */
const MAX_SEQUENCE = 1_000_000_000;

const READ_STEP = prepared(
  "restores.step",
  `SELECT least(${MAX_STEP}, ${STEP} + ${STEP_PER_SECOND} * ceil(greatest(0, extract(epoch FROM clock_timestamp() - greatest(
    (SELECT max(updated_at) FROM orchestrator.runs WHERE updated_at BETWEEN timestamptz 'epoch' AND clock_timestamp()),
    (SELECT max(expires_at) FROM orchestrator.instances WHERE isfinite(expires_at)))))))::int8 AS step`,
);
const LOCK = prepared("restores.lock", "SELECT FROM orchestrator.settings WHERE name = 'journal_version' FOR UPDATE");
const FIND_ALIVE = prepared(
  "restores.alive",
  `SELECT instance_id AS instance, address, expires_at AS until FROM orchestrator.instances
  WHERE expires_at > clock_timestamp() ORDER BY expires_at DESC LIMIT 1`,
);
const KEEP_SETTINGS = prepared(
  "restores.settings",
  `INSERT INTO orchestrator.settings AS s (name, value)
  VALUES ('database_identity', $1::text), ('sequence_base', $2::int::text), ('journal_version', $3::int::text)
  ON CONFLICT (name) DO UPDATE SET value = CASE s.name
    WHEN 'database_identity' THEN excluded.value
    WHEN 'sequence_base' THEN (s.value::int + excluded.value::int)::text
    ELSE greatest(s.value::int, excluded.value::int)::text END`,
);
// The shards look as if their owners had given them back: a restore is no death, and makes nobody a suspect.
const RAISE_EPOCHS = prepared(
  "restores.epochs",
  "UPDATE orchestrator.shard_leases SET epoch = epoch + $1::int, instance_id = NULL, clean = true",
);
const FORGET = [
  prepared("restores.instances", "DELETE FROM orchestrator.instances"),
  prepared("restores.suspects", "DELETE FROM orchestrator.suspects"),
  prepared("restores.deaths", "DELETE FROM orchestrator.owner_deaths"),
];
const TELL_RUNS = prepared(
  "restores.runs",
  `WITH clock AS MATERIALIZED (SELECT clock_timestamp() AS now),
  told AS (
    INSERT INTO orchestrator.journal (run_day, run_id, sequence, record_count, written_at, records)
    SELECT run_day, run_id, next, 1, now, json_build_array(json_build_object(
      'type', 'run.restored', 'at', floor(extract(epoch FROM now) * 1000)::int8, 'sequence', next, 'by', $2::text))::text
    FROM clock, (
      SELECT r.run_day, r.run_id, (max(j.sequence::int8 + j.record_count) + $1::int)::int AS next
      FROM orchestrator.runs r JOIN orchestrator.journal j ON j.run_day = r.run_day AND j.run_id = r.run_id
      WHERE r.ended_at IS NULL GROUP BY r.run_day, r.run_id
      HAVING max(j.sequence::int8 + j.record_count) BETWEEN 1 AND ${MAX_SEQUENCE}
    ) open
    RETURNING run_id, sequence, written_at
  )
  UPDATE orchestrator.runs r SET sequence = t.sequence, updated_at = t.written_at FROM told t WHERE t.run_id = r.run_id`,
);
// Tags of services and triggers must not come again with other contents.
const RAISE_REVISIONS = prepared(
  "restores.revisions",
  `SELECT setval('orchestrator.service_revisions', nextval('orchestrator.service_revisions') + $1::int),
    setval('orchestrator.trigger_revisions', nextval('orchestrator.trigger_revisions') + $1::int)`,
);
// Tables that were restored without their triggers have wrong counts.
const RECOUNT = prepared("restores.recount", "SELECT orchestrator.recount_runs(), orchestrator.recount_waiting()");

const READ_FACTS = prepared(
  "restores.facts",
  `SELECT (SELECT max(expires_at) FROM orchestrator.instances) AS "expiresAt",
    (SELECT count(*) FROM orchestrator.runs WHERE ended_at IS NULL) AS "openRuns",
    (SELECT count(*) FROM orchestrator.runs WHERE ended_at IS NULL AND wake_at <= clock_timestamp()) AS "dueRuns",
    (SELECT count(*) FROM orchestrator.outbox) AS "outbox"`,
);
const READ_OFFSETS = prepared(
  "restores.offsets",
  "SELECT topic, partition, next_offset::text AS next FROM orchestrator.kafka_offsets ORDER BY topic, partition",
);
const LIST_IN_MOTION = prepared(
  "restores.in_motion",
  `SELECT run_id FROM orchestrator.runs
  WHERE ended_at IS NULL AND (moving OR handed_out) AND run_id > $1 ORDER BY run_id LIMIT $2`,
);

/** What a restored database holds that concerns the outside. */
export interface RestoreFacts {
  /** When the last instance would have expired, milliseconds since 1970; null: none was running at the backup. */
  readonly expiresAt: number | null;
  readonly openRuns: number;
  /** Open runs with a timer that has become due. */
  readonly dueRuns: number;
  /** Messages that had not been sent. */
  readonly outbox: number;
  /** Where consumers of Kafka continue. */
  readonly offsets: readonly { readonly topic: string; readonly partition: number; readonly next: string }[];
}

/** Reads what is known without looking into runs. */
export async function readRestoreFacts(runner: SqlRunner): Promise<RestoreFacts> {
  const { rows } = await runner.query<Omit<RestoreFacts, "offsets">>(READ_FACTS);
  const { rows: offsets } = await runner.query<RestoreFacts["offsets"][number]>(READ_OFFSETS);
  const [facts] = rows;
  return { ...(facts ?? { expiresAt: null, openRuns: 0, dueRuns: 0, outbox: 0 }), offsets };
}

/** Ids of open runs with work under way, in order, after `after`. */
export async function listRunsInMotion(runner: SqlRunner, after: string, limit: number): Promise<readonly string[]> {
  const { rows } = await runner.query<{ run_id: string }>(LIST_IN_MOTION, [after, limit]);
  return rows.map(({ run_id }) => run_id);
}

/**
 * Declares the database restored, in one transaction: raises epochs and sequences, tells every open run, and takes the
 * database for the one that the service uses. Returns how many runs were told; those that are damaged are left alone.
 * `journal` is the version of the journal's format that this build writes; older builds do not start on the database
 * any more. Errors: RESTORE_INSTANCE_ALIVE, STORE_TIMEOUT if a foreign lock holds it up for a minute.
 */
export async function finishRestore(database: Database, by: string, journal: number): Promise<number> {
  const session = await database.openSession("restore", {
    statementMs: 0,
    answerMs: 0,
    lockMs: 60_000,
    idleInTransactionMs: 0,
  });
  try {
    const identity = await readDatabaseIdentity(session);
    await session.query("BEGIN");
    // Instances that register wait for this lock.
    await session.query(LOCK);
    const { rows } = await session.query<{ instance: string; address: string; until: number }>(FIND_ALIVE);
    const [alive] = rows;
    if (alive !== undefined) fail("RESTORE_INSTANCE_ALIVE", { ...alive, until: formatRfc3339(alive.until) });
    const { rows: steps } = await session.query<{ step: number | null }>(READ_STEP);
    const step = steps[0]?.step ?? STEP;
    await session.query(KEEP_SETTINGS, [identity, step, journal]);
    await session.query(RAISE_EPOCHS, [step]);
    await session.query(RAISE_REVISIONS, [step]);
    for (const statement of FORGET) await session.query(statement);
    const { count } = await session.query(TELL_RUNS, [step, by]);
    await session.query(RECOUNT);
    await session.query("COMMIT");
    return count;
  } finally {
    await session.close();
  }
}
