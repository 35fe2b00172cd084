/** Runs whose journal cannot be read. Changes affect only their header, under the same fence as all other writes. */
import type { EndedUnread, JournalRecord } from "../../engine/ports/journal.ts";
import type { Lease } from "../../engine/ports/leases.ts";
import { prepared, type SqlPool, type Statement } from "../sql/sql.ts";
import type { AnyTable } from "./commit-statement.ts";

/** The lease $1 with epoch $2, locked: writes that join it are fenced. */
export const HELD = `held AS MATERIALIZED (
  SELECT shard FROM orchestrator.shard_leases WHERE shard = $1 AND epoch = $2 FOR SHARE
)`;

/**
 * A run, $3, that was `stopped` unread leaves the lines of its limits: otherwise others would be found behind it each
 * time. Its release asks again. What was given out to it already is given back by those who try to tell it.
 */
export const LEAVE_LINES = `left_lines AS (
    DELETE FROM orchestrator.limit_slots WHERE run_id = $3 AND state = 'waiting' AND EXISTS (SELECT 1 FROM stopped)
  )`;

const SET_ASIDE = prepared(
  "runs.set_aside",
  `WITH ${HELD},
  stopped AS (
    UPDATE orchestrator.runs SET state = 'QUARANTINED', moving = false, wake_at = NULL, updated_at = clock_timestamp()
    WHERE run_id = $3 AND ended_at IS NULL AND EXISTS (SELECT 1 FROM held)
      AND (state <> 'QUARANTINED' OR moving OR wake_at IS NOT NULL)
    RETURNING run_id
  ),
  ${LEAVE_LINES}
  SELECT run_id FROM stopped`,
);

// The record follows the last one, whatever that is: a run in any open phase may end this way. The columns of a damaged
// run may contain anything, so this depends only on the lease of its shard, which follows from its id.
const unreadEndOf = (tables: readonly AnyTable[]): Statement =>
  prepared(
    "runs.end_unread",
    `WITH ${HELD},
  ended AS (
    -- A time of the end that no run can have is none.
    UPDATE orchestrator.runs r SET state = 'TERMINATED', moving = false, wake_at = NULL, sequence = last.sequence + 1,
      updated_at = to_timestamp($4::float8 / 1000), ended_at = to_timestamp($4::float8 / 1000)
    FROM (
      SELECT least(coalesce(max(j.sequence::int8 + greatest(j.record_count, 1) - 1), 0), 2147483646)::int4 AS sequence
      FROM orchestrator.runs o JOIN orchestrator.journal j ON j.run_day = o.run_day AND j.run_id = o.run_id
      WHERE o.run_id = $3
    ) last
    WHERE r.run_id = $3 AND (r.ended_at IS NULL OR r.ended_at NOT BETWEEN '0001-01-01 UTC' AND '9999-12-31 UTC') AND EXISTS (SELECT 1 FROM held)
    RETURNING r.run_id, r.run_day, r.sequence, r.parent_run_id, r.parent_task
  ),
  ${tables.map(({ close }) => (close === null ? "" : `${close},\n  `)).join("")}  written AS (
    INSERT INTO orchestrator.journal (run_day, run_id, sequence, record_count, written_at, records)
    SELECT run_day, run_id, sequence, 1, to_timestamp($4::float8 / 1000), $5 FROM ended
    ON CONFLICT (run_day, run_id, sequence) DO UPDATE SET record_count = excluded.record_count, records = excluded.records
  )
  SELECT sequence, parent_run_id, parent_task FROM ended`,
  );

/**
 * Quarantines a run: its header says QUARANTINED, and it no longer moves or wakes. Returns false if the lease is not
 * held, the run is not open, or it was quarantined before.
 */
export async function quarantine(pool: SqlPool, lease: Lease, runId: string): Promise<boolean> {
  return (await pool.query(SET_ASIDE, [lease.shard, lease.epoch, runId])).count > 0;
}

/**
 * Ends an open run by appending one record to its journal. Returns null if the lease is not held or the run is not
 * open.
 */
export type EndUnread = (
  pool: SqlPool,
  lease: Lease,
  runId: string,
  record: JournalRecord,
) => Promise<EndedUnread | null>;

/** Creates the operation that ends runs unread, together with the rows in which these tables show them as open. */
export function createUnreadEnd(tables: readonly AnyTable[]): EndUnread {
  const statement = unreadEndOf(tables);
  return async (pool, lease, runId, record) => {
    const values = [lease.shard, lease.epoch, runId, record.at, JSON.stringify([record])];
    type Row = { sequence: number; parent_run_id: string; parent_task: string };
    const [row] = (await pool.query<Row>(statement, values)).rows;
    if (row === undefined) return null;
    const parent = row.parent_run_id === "" ? null : { runId: row.parent_run_id, task: row.parent_task };
    return { sequence: row.sequence, parent };
  };
}
