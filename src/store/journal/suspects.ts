/**
 * Runs that may have killed their owner: the one that is being tried, what is known of each, and the hold that keeps a
 * run from the next owner.
 */
import type { JournalRecord, Suspect, Trial } from "../../engine/ports/journal.ts";
import type { Lease, TakenLease } from "../../engine/ports/leases.ts";
import type { SqlPool } from "../sql/sql.ts";
import { prepared } from "../sql/sql.ts";

const HELD = `held AS MATERIALIZED (
  SELECT l.shard FROM orchestrator.shard_leases l
  JOIN unnest($1::int2[], $2::int4[]) AS w (shard, epoch) ON w.shard = l.shard AND w.epoch = l.epoch
  ORDER BY l.shard FOR SHARE OF l
)`;

// One statement for each suspect that is tried: the previous one has passed, and the next one is now on trial.
const NAME = prepared(
  "suspects.name",
  `WITH ${HELD},
  passed AS (
    DELETE FROM orchestrator.suspects s USING unnest($7::text[], $8::text[]) AS p (run_id, moment)
    WHERE s.run_id = p.run_id AND (p.moment = '' OR s.moment = p.moment) AND s.shard IN (SELECT shard FROM held)
  )
  INSERT INTO orchestrator.suspects (run_id, moment, shard, in_hand, alone)
  SELECT n.run_id, n.moment, n.shard, true, $6 FROM unnest($3::text[], $4::text[], $5::int2[]) AS n (run_id, moment, shard)
  WHERE n.shard IN (SELECT shard FROM held) ORDER BY n.run_id, n.moment
  ON CONFLICT (run_id, moment) DO UPDATE SET in_hand = true, alone = excluded.alone`,
);

// Deletes rows of runs that have ended in the meantime. A row that was on trial without a death, because its owner gave
// the shard back, keeps its earlier deaths.
const JUDGE = prepared(
  "suspects.judge",
  `WITH ${HELD},
  open AS MATERIALIZED (
    SELECT s.run_id, s.moment, s.shard IN (SELECT unnest($3::int2[])) AS clean,
      EXISTS (SELECT FROM orchestrator.runs r WHERE r.run_id = s.run_id AND r.ended_at IS NULL) AS holds
    FROM orchestrator.suspects s WHERE s.shard IN (SELECT shard FROM held)
  ),
  gone AS (
    DELETE FROM orchestrator.suspects s USING open o WHERE s.run_id = o.run_id AND s.moment = o.moment AND NOT o.holds
  )
  UPDATE orchestrator.suspects s SET in_hand = false, deaths = deaths + (s.in_hand AND s.alone AND NOT o.clean)::int
  FROM open o WHERE s.run_id = o.run_id AND s.moment = o.moment AND o.holds
  RETURNING s.run_id, s.moment, s.shard, s.deaths, s.blocked`,
);

// The record follows the last one, whatever that is: a run in any open phase can take a hold.
const HOLD_UNREAD = prepared(
  "runs.hold_unread",
  `WITH held AS MATERIALIZED (
    SELECT shard FROM orchestrator.shard_leases WHERE shard = $1 AND epoch = $2 FOR SHARE
  ),
  stopped AS (
    UPDATE orchestrator.runs r SET state = 'QUARANTINED', moving = false, wake_at = NULL, sequence = last.sequence + 1,
      updated_at = to_timestamp($4::float8 / 1000)
    FROM (
      SELECT coalesce(max(j.sequence + j.record_count - 1), 0) AS sequence
      FROM orchestrator.runs o JOIN orchestrator.journal j ON j.run_day = o.run_day AND j.run_id = o.run_id
      WHERE o.run_id = $3
    ) last
    WHERE r.run_id = $3 AND r.ended_at IS NULL AND r.shard IN (SELECT shard FROM held)
    RETURNING r.run_id, r.run_day, r.sequence
  ),
  written AS (
    INSERT INTO orchestrator.journal (run_day, run_id, sequence, record_count, written_at, records)
    SELECT run_day, run_id, sequence, 1, to_timestamp($4::float8 / 1000), $5 FROM stopped
  ),
  forgotten AS (
    DELETE FROM orchestrator.suspects s USING stopped t WHERE s.run_id = t.run_id
  )
  SELECT sequence FROM stopped`,
);

// Only for the owner of the shard. A start that was never written has no row and does not come back.
const BLAME = prepared(
  "suspects.blame",
  `INSERT INTO orchestrator.suspects (run_id, moment, shard, in_hand, alone, blocked)
  SELECT r.run_id, 'loop', r.shard, true, true, true
  FROM orchestrator.runs r JOIN orchestrator.shard_leases l ON l.shard = r.shard AND l.instance_id = $2
  WHERE r.run_id = $1 AND r.ended_at IS NULL
  ON CONFLICT (run_id, moment) DO UPDATE SET in_hand = true, blocked = true`,
);

/** See `Journal.nameSuspects`. */
export async function nameSuspects(
  pool: SqlPool,
  leases: readonly Lease[],
  trials: readonly Trial[],
  passed: readonly Trial[],
  alone: boolean,
): Promise<void> {
  // One statement cannot delete a row and insert it again.
  const again = new Set(trials.map(keyOf));
  const runs = new Set(trials.map((trial) => trial.runId));
  const clash = passed.some((one) => again.has(keyOf(one)) || (one.moment === "" && runs.has(one.runId)));
  if (clash) await name(pool, leases, [], passed, alone);
  await name(pool, leases, trials, clash ? [] : passed, alone);
}

function keyOf({ runId, moment }: Trial): string {
  return `${runId} ${moment}`;
}

async function name(
  pool: SqlPool,
  leases: readonly Lease[],
  trials: readonly Trial[],
  passed: readonly Trial[],
  alone: boolean,
): Promise<void> {
  await pool.query(NAME, [
    leases.map((lease) => lease.shard),
    leases.map((lease) => lease.epoch),
    trials.map((trial) => trial.runId),
    trials.map((trial) => trial.moment),
    trials.map((trial) => trial.shard),
    alone,
    passed.map((trial) => trial.runId),
    passed.map((trial) => trial.moment),
  ]);
}

/** See `Journal.judgeSuspects`. */
export async function judgeSuspects(pool: SqlPool, leases: readonly TakenLease[]): Promise<Suspect[]> {
  type Row = { run_id: string; moment: string; shard: number; deaths: number; blocked: boolean };
  const { rows } = await pool.query<Row>(JUDGE, [
    leases.map((lease) => lease.shard),
    leases.map((lease) => lease.epoch),
    leases.filter((lease) => lease.clean).map((lease) => lease.shard),
  ]);
  return rows.map(({ run_id, ...row }) => ({ runId: run_id, ...row }));
}

/** See `Journal.holdUnread`. */
export async function holdUnread(pool: SqlPool, lease: Lease, runId: string, record: JournalRecord): Promise<boolean> {
  const values = [lease.shard, lease.epoch, runId, record.at, JSON.stringify([record])];
  return (await pool.query(HOLD_UNREAD, values)).rows.length > 0;
}

/**
 * Blames the run in which the event loop of `instanceId` is stuck. Returns false if the run is not open or this
 * instance does not own its shard.
 */
export async function blameRun(pool: SqlPool, instanceId: string, runId: string): Promise<boolean> {
  return (await pool.query(BLAME, [runId, instanceId])).count > 0;
}
