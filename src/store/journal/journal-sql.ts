/** Statements that read what the group commit wrote, and statements for start keys. */
import { prepared, type Statement } from "../sql/sql.ts";

/** Runs with their headers. */
export const LOAD_HEADERS: Statement = prepared(
  "runs.load",
  `SELECT run_id, shard, run_day, tenant_id, flow_id, version, flow_hash, state, moving, handed_out, sequence, wake_at, deadline_at, labels, user_id, correlation_id, run_key,
    parent_run_id, parent_task, created_at, updated_at, ended_at
  FROM orchestrator.runs WHERE run_id = ANY($1::text[])`,
);

/**
 * The transitions of a run from sequence $3 on, in order, regardless of the length that their rows claim: at most $4
 * transitions and, after the first one, at most $5 bytes. Sizes are known without reading the rows' text.
 */
export const LOAD_TRANSITIONS: Statement = prepared(
  "journal.load",
  `SELECT sequence, record_count, records, found FROM (
    SELECT sequence, record_count, records, count(*) OVER ()::int4 AS found,
      sum(octet_length(records)) OVER (ORDER BY sequence) AS total, first_value(sequence) OVER (ORDER BY sequence) AS first
    FROM (
      SELECT sequence, record_count, records FROM orchestrator.journal
      WHERE run_day = $1 AND run_id = $2 AND (sequence > $3::int8 OR sequence::int8 + record_count - 1 > $3::int8) ORDER BY sequence LIMIT $4
    ) page
  ) sized WHERE sequence = first OR total <= $5 ORDER BY sequence`,
);

/**
 * The transitions of runs on the days $1 with the ids $2, in order: at most $3 of each run and, of these, as many as
 * have at most $4 bytes together, which may be none.
 */
export const LOAD_SHORT: Statement = prepared(
  "journal.load_short",
  `SELECT run.run_id, sized.sequence, sized.record_count, sized.records, sized.found
  FROM unnest($1::int4[], $2::text[]) AS run (run_day, run_id)
  CROSS JOIN LATERAL (
    SELECT page.*, count(*) OVER ()::int4 AS found, sum(octet_length(page.records)) OVER (ORDER BY page.sequence) AS total
    FROM (
      SELECT j.sequence, j.record_count, j.records FROM orchestrator.journal j
      WHERE j.run_day = run.run_day AND j.run_id = run.run_id ORDER BY j.sequence LIMIT $3
    ) page
  ) sized WHERE sized.total <= $4 ORDER BY run.run_id, sized.sequence`,
);

/** Open runs that make progress on their own, and runs whose timer has passed. */
export const LIST_MOVING: Statement = prepared(
  "runs.list_moving",
  `SELECT run_id, moving FROM orchestrator.runs
  WHERE shard = ANY($1::int2[]) AND ended_at IS NULL AND (moving OR wake_at <= clock_timestamp()) ORDER BY created_at`,
);

/** Open runs that other runs started. */
export const LIST_CHILDREN: Statement = prepared(
  "runs.list_children",
  "SELECT run_id, parent_run_id FROM orchestrator.runs WHERE shard = ANY($1::int2[]) AND ended_at IS NULL AND parent_run_id <> ''",
);

/**
 * Open runs with a timer, starting after a position. Times are passed both ways as whole milliseconds, which is how
 * they are written.
 */
export const LIST_DUE: Statement = prepared(
  "runs.list_due",
  `SELECT run_id, extract(epoch FROM wake_at)::float8 * 1000 AS wake_at FROM orchestrator.runs r
  WHERE shard = ANY($1::int2[]) AND ended_at IS NULL AND wake_at <= to_timestamp($2::float8 / 1000)
    AND (wake_at, run_id) > (to_timestamp($4::float8 / 1000), $5)
  ORDER BY r.wake_at, r.run_id LIMIT $3`,
);

/** The run of a start key; `void` if the row belongs to a start that was refused. */
export const FIND_KEY: Statement = prepared(
  "starts.find",
  `SELECT s.run_id, s.request_hash, EXISTS (
    SELECT 1 FROM orchestrator.void_starts v
    WHERE v.tenant_id = s.tenant_id AND v.kind = s.kind AND v.key = s.key AND v.run_id = s.run_id
  ) AS void
  FROM orchestrator.starts s WHERE s.tenant_id = $1 AND s.kind = $2 AND s.key = $3`,
);

/**
 * Removes the row of a start key that names run $4 if it is void. If two callers do this, only one finds the row; a
 * start that took the key in the meantime is safe.
 */
export const DROP_KEY: Statement = prepared(
  "starts.drop",
  `WITH void AS (
    DELETE FROM orchestrator.void_starts WHERE tenant_id = $1 AND kind = $2 AND key = $3 AND run_id = $4 RETURNING run_id
  )
  DELETE FROM orchestrator.starts s USING void v
  WHERE s.tenant_id = $1 AND s.kind = $2 AND s.key = $3 AND s.run_id = v.run_id`,
);

/** Stores the request id of a start that was answered with a run that was already open. */
export const KEEP_ANSWER: Statement = prepared(
  "starts.keep",
  `INSERT INTO orchestrator.starts (tenant_id, kind, key, run_id, request_hash) VALUES ($1, 'request', $2, $3, $4)
  ON CONFLICT DO NOTHING`,
);

/** Deletes a stored answer: the run ended before it accepted what the start brought. */
export const FORGET_ANSWER: Statement = prepared(
  "starts.forget",
  "DELETE FROM orchestrator.starts WHERE tenant_id = $1 AND kind = 'request' AND key = $2 AND run_id = $3",
);

/** The open run of a run key. */
export const FIND_OPEN_KEY: Statement = prepared(
  "runs.find_key",
  "SELECT run_id FROM orchestrator.runs WHERE tenant_id = $1 AND flow_id = $2 AND run_key = $3 AND run_key <> '' AND ended_at IS NULL",
);
