/**
 * Daily partitions of the journal, created ahead of time, so that retention can drop a day instead of deleting rows.
 *
 * A missing partition is not an error: rows of that day go to the default partition. When the partition is created
 * later, the rows move into it in the same transaction.
 */
import type { Log } from "../../base/log.ts";
import type { Database } from "../sql/pool.ts";
import type { SqlRunner } from "../sql/sql.ts";

/**
 * Days before and after today that have a partition: yesterday for clock skew, future days in case nobody creates them
 * in time.
 */
const DAYS_BEHIND = 1;
const DAYS_AHEAD = 3;

/** Key of the advisory lock that lets one instance at a time create partitions; see also migrate.ts. */
const LOCK_KEY = 7_310_416_282;

/**
 * Lock timeout, milliseconds. A reader that holds its lock longer prevents the partition from being created this time.
 */
const LOCK_WAIT_MS = 1_000;

const DEFAULT_PARTITION = "orchestrator.journal_other";

/** Interval between checks for missing partitions, milliseconds. */
const EVERY_MS = 6 * 3_600_000;

/**
 * Creates missing partitions now and a few times a day. Resolves after the first pass with a handle that stops it.
 * Failures are logged; the journal works without partitions.
 */
export async function keepPartitions(database: Database, log: Log): Promise<{ stop(): Promise<void> }> {
  const make = () =>
    createPartitions(database, log).catch((error: unknown) =>
      log.warn("partitions of the journal could not be made; its default partition takes the rows", { error }),
    );
  let turn: Promise<unknown> = make();
  await turn;
  const timer = setInterval(() => {
    turn = make();
  }, EVERY_MS).unref();
  return {
    stop: async () => {
      clearInterval(timer);
      await turn;
    },
  };
}

/**
 * Creates the missing partitions of the days around today. Resolves with how many there were. Any instance may call it
 * at any time.
 */
export async function createPartitions(database: Database, log: Log): Promise<number> {
  const { rows } = await database.journal.query<{ day: number }>(
    `SELECT today + n AS day
    FROM (SELECT floor(extract(epoch FROM clock_timestamp()) / 86400)::int AS today) clock, generate_series($1::int, $2::int) AS n
    WHERE to_regclass('orchestrator.journal_day_' || (today + n)) IS NULL
    ORDER BY n`,
    [-DAYS_BEHIND, DAYS_AHEAD],
  );
  let made = 0;
  for (const { day } of rows) {
    // One transaction per day, so that batches wait for one short transaction and not for all of them.
    if (await database.journal.transaction((runner) => createPartition(runner, day, log))) made += 1;
  }
  return made;
}

/** Name of the partition of a day (days since 1970). */
export function partitionOf(day: number): string {
  return `journal_day_${day}`;
}

async function createPartition(runner: SqlRunner, day: number, log: Log): Promise<boolean> {
  await runner.query("SELECT pg_advisory_xact_lock($1)", [LOCK_KEY]);
  const name = `orchestrator.${partitionOf(day)}`;
  // Not to_regclass: after the wait for the lock it may still return a result from the session's cache.
  const { rows } = await runner.query(
    "SELECT 1 FROM pg_class WHERE relname = $1 AND relnamespace = 'orchestrator'::regnamespace",
    [partitionOf(day)],
  );
  if (rows.length > 0) return false;
  // Lock the whole table before anybody looks up its partitions. With a weaker lock, batches wait at the default
  // partition with its old bounds cached; they then fail as if their rows were bad, and readers miss the moved rows
  // (observed). Everyone queues behind this lock, so it has a short timeout itself.
  await runner.query(`SET LOCAL lock_timeout = ${LOCK_WAIT_MS}`);
  await runner.query("LOCK TABLE orchestrator.journal IN ACCESS EXCLUSIVE MODE");
  await runner.query(`CREATE TABLE ${name} (LIKE orchestrator.journal INCLUDING ALL)`);
  const moved = await runner.query(
    `WITH moved AS (DELETE FROM ${DEFAULT_PARTITION} WHERE run_day = ${day} RETURNING *) INSERT INTO ${name} SELECT * FROM moved`,
  );
  await runner.query(
    `ALTER TABLE orchestrator.journal ATTACH PARTITION ${name} FOR VALUES FROM (${day}) TO (${day + 1})`,
  );
  if (moved.count > 0) log.info("rows of the journal moved into their partition", { day, rows: moved.count });
  return true;
}
