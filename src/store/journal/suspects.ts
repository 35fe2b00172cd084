/**
 * Runs that may have killed their owner: the one that is being tried, what is known of each, and the hold that keeps a
 * run from the next owner. Beside them the deaths of owners, see docs/adr/0011.
 */
import type { JournalRecord, Suspect, Trial } from "../../engine/ports/journal.ts";
import type { Lease, TakenLease } from "../../engine/ports/leases.ts";
import type { SqlPool } from "../sql/sql.ts";
import { prepared } from "../sql/sql.ts";
import { LEAVE_LINES } from "./quarantine.ts";

// One statement for each suspect that is tried: the previous one has passed, and the next one is now on trial. No run
// accounts any more for the deaths at a moment that it has passed.
const NAME = prepared(
  "suspects.name",
  `WITH held AS MATERIALIZED (
    SELECT l.shard FROM orchestrator.shard_leases l
    JOIN unnest($1::int2[], $2::int4[]) AS w (shard, epoch) ON w.shard = l.shard AND w.epoch = l.epoch
    ORDER BY l.shard FOR SHARE OF l
  ),
  passed AS (
    DELETE FROM orchestrator.suspects s USING unnest($7::text[], $8::text[]) AS p (run_id, moment)
    WHERE s.run_id = p.run_id AND (p.moment = '' OR s.moment = p.moment) AND s.shard IN (SELECT shard FROM held)
    RETURNING s.run_id, s.moment
  ),
  withdrawn AS (
    UPDATE orchestrator.owner_deaths d SET explained = false FROM passed p
    WHERE d.run_id = p.run_id AND d.moment = p.moment AND d.explained
  )
  INSERT INTO orchestrator.suspects (run_id, moment, shard, in_hand, alone)
  SELECT n.run_id, n.moment, n.shard, true, $6 FROM unnest($3::text[], $4::text[], $5::int2[]) AS n (run_id, moment, shard)
  WHERE n.shard IN (SELECT shard FROM held) ORDER BY n.run_id, n.moment
  ON CONFLICT (run_id, moment) DO UPDATE SET in_hand = true, alone = excluded.alone`,
);

// Deletes rows of runs that have ended in the meantime. A row that was on trial without a death, because its owner gave
// the shard back, keeps its earlier deaths. All instances that take shards of a dead owner write the same row of its
// death, and the one that finds a run alone in progress adds its name. A group in progress explains the death, and no
// run is named.
const JUDGE = prepared(
  "suspects.judge",
  `WITH held AS MATERIALIZED (
    SELECT l.shard, w.clean, w.owner FROM orchestrator.shard_leases l
    JOIN unnest($1::int2[], $2::int4[], $3::bool[], $4::text[]) AS w (shard, epoch, clean, owner)
      ON w.shard = l.shard AND w.epoch = l.epoch
    ORDER BY l.shard FOR SHARE OF l
  ),
  open AS MATERIALIZED (
    SELECT s.run_id, s.moment, s.in_hand, s.alone, s.blocked, h.clean, h.owner,
      EXISTS (SELECT FROM orchestrator.runs r WHERE r.run_id = s.run_id AND r.ended_at IS NULL) AS holds
    FROM orchestrator.suspects s JOIN held h ON h.shard = s.shard
  ),
  gone AS (
    DELETE FROM orchestrator.suspects s USING open o WHERE s.run_id = o.run_id AND s.moment = o.moment AND NOT o.holds
  ),
  counted AS (
    UPDATE orchestrator.suspects s SET in_hand = false, deaths = deaths + (s.in_hand AND s.alone AND NOT o.clean)::int
    FROM open o WHERE s.run_id = o.run_id AND s.moment = o.moment AND o.holds
  ),
  forgotten AS (
    DELETE FROM orchestrator.owner_deaths WHERE died_at < clock_timestamp() - interval '1 hour'
      AND incarnation NOT IN (SELECT owner FROM held WHERE owner IS NOT NULL)
  )
  INSERT INTO orchestrator.owner_deaths AS d (incarnation, run_id, moment, explained)
  SELECT DISTINCT ON (h.owner) h.owner, CASE WHEN o.alone THEN o.run_id END, CASE WHEN o.alone THEN o.moment END,
    o.run_id IS NOT NULL
  FROM held h LEFT JOIN open o ON o.owner = h.owner AND o.in_hand AND o.holds AND NOT o.clean
  WHERE h.owner IS NOT NULL AND NOT h.clean
  ORDER BY h.owner, o.alone DESC NULLS LAST, o.blocked DESC, o.run_id
  ON CONFLICT (incarnation) DO UPDATE SET run_id = excluded.run_id, moment = excluded.moment, explained = true
  WHERE excluded.explained AND d.run_id IS NULL`,
);

// What a run did itself does not excuse it: one that kills now and then is not taken for somebody who kills from
// outside.
const READ = prepared(
  "suspects.read",
  `SELECT s.run_id, s.moment, s.shard, s.deaths, s.blocked, (
      SELECT count(*)::int FROM orchestrator.owner_deaths d
      WHERE NOT d.explained AND d.run_id IS DISTINCT FROM s.run_id AND d.died_at > clock_timestamp() - interval '10 minutes'
    ) AS unexplained
  FROM orchestrator.suspects s WHERE s.shard = ANY($1::int2[])`,
);

// The record follows the last one, whatever that is: a run in any open phase can take a hold. A run that kills explains
// its deaths and the one before them, which made it a suspect; otherwise the next one that kills would be held later.
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
  ),
  ${LEAVE_LINES},
  explained AS (
    UPDATE orchestrator.owner_deaths d SET explained = true, run_id = NULL, moment = NULL FROM stopped t
    WHERE d.run_id = t.run_id OR d.incarnation = (
      SELECT incarnation FROM orchestrator.owner_deaths WHERE NOT explained AND run_id IS NULL
        AND NOT EXISTS (SELECT FROM orchestrator.suspects WHERE run_id = $3 AND blocked)
      ORDER BY died_at DESC, incarnation LIMIT 1
    )
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
  await pool.query(JUDGE, [
    leases.map((lease) => lease.shard),
    leases.map((lease) => lease.epoch),
    leases.map((lease) => lease.clean),
    leases.map((lease) => lease.previousOwner),
  ]);
  type Row = { run_id: string; moment: string; shard: number; deaths: number; blocked: boolean; unexplained: number };
  const { rows } = await pool.query<Row>(READ, [leases.map((lease) => lease.shard)]);
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
