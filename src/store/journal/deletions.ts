/** Deletes runs in one statement under the journal's fence, so that all of a run is deleted or none of it. */
import { isValidTime } from "../../base/time/time-range.ts";
import type { Lease } from "../../engine/ports/leases.ts";
import type { RunHeader } from "../../engine/ports/run-index.ts";
import { exactInt8, prepared, type SqlPool, type Statement } from "../sql/sql.ts";
import type { AnyTable } from "./commit-statement.ts";
import { isRunState } from "./journal-rows.ts";

// The tombstone is stored with the start keys, which outlive runs. No run can be started with a key that exists.
const deletionOf = (tables: readonly AnyTable[]): Statement =>
  prepared(
    "runs.delete",
    `WITH held AS MATERIALIZED (
    SELECT shard FROM orchestrator.shard_leases WHERE shard = $1 AND epoch = $2 FOR SHARE
  ),
  gone AS (
    DELETE FROM orchestrator.runs r
    WHERE r.run_id = $3 AND r.tenant_id = $4 AND r.ended_at IS NOT NULL AND r.shard IN (SELECT shard FROM held)
      AND NOT EXISTS (SELECT 1 FROM orchestrator.runs p WHERE p.run_id = r.parent_run_id AND p.ended_at IS NULL)
      AND NOT EXISTS (
        SELECT 1 FROM orchestrator.runs c WHERE c.parent_run_id = r.run_id AND c.parent_run_id <> '' AND c.ended_at IS NULL
      )
    RETURNING r.run_id, r.run_day, r.tenant_id, r.sequence, r.state
  ),
  journal AS (
    DELETE FROM orchestrator.journal j USING gone g WHERE j.run_day = g.run_day AND j.run_id = g.run_id
  ),
  ${tables.map(({ erase }) => (erase === null ? "" : `${erase},\n  `)).join("")}  checkpoints AS (
    DELETE FROM orchestrator.graph_threads t USING gone g WHERE t.tenant_id = g.tenant_id AND t.run_id = g.run_id
  ),
  tombstone AS (
    INSERT INTO orchestrator.starts (tenant_id, kind, key, run_id, request_hash, last_sequence, last_state)
    SELECT tenant_id, 'deleted', run_id, run_id, '', sequence + 1, state FROM gone
    ON CONFLICT DO NOTHING
  )
  SELECT (SELECT count(*) FROM held)::int4 AS held, (SELECT count(*) FROM gone)::int4 AS gone`,
  );

const FIND_DELETED = prepared(
  "runs.find_deleted",
  "SELECT created_at FROM orchestrator.starts WHERE tenant_id = $1 AND kind = 'deleted' AND key = $2",
);

/** Recently deleted runs, the last one first. */
export const DELETED = prepared(
  "runs.deleted",
  `SELECT run_id, created_at, ${exactInt8("last_sequence")} AS last_sequence, last_state FROM orchestrator.starts
  WHERE tenant_id = $1 AND last_sequence IS NOT NULL AND created_at >= statement_timestamp() - $2::float8 * interval '1 millisecond'
  ORDER BY created_at DESC LIMIT $3`,
);

interface DeletedRow {
  readonly run_id: string;
  readonly created_at: number;
  readonly last_sequence: number;
  readonly last_state: string;
}

/** Deletes an ended run. `related` means that the run, its parent, or one of its children is still open. */
export type DeleteRun = (
  sql: SqlPool,
  lease: Lease,
  tenantId: string,
  runId: string,
) => Promise<"deleted" | "fenced" | "related">;

/** Creates the deletion of runs together with their rows in these tables. */
export function createDeletion(tables: readonly AnyTable[]): DeleteRun {
  const statement = deletionOf(tables);
  return async (sql, { shard, epoch }, tenantId, runId) => {
    const { rows } = await sql.query<{ held: number; gone: number }>(statement, [shard, epoch, runId, tenantId]);
    if (rows[0]?.gone === 1) return "deleted";
    return rows[0]?.held === 1 ? "related" : "fenced";
  };
}

/** When a run of the tenant was deleted, milliseconds. Null if it was not; 0 if the stored time is invalid. */
export async function findDeleted(sql: SqlPool, tenantId: string, runId: string): Promise<number | null> {
  const [row] = (await sql.query<{ created_at: number }>(FIND_DELETED, [tenantId, runId])).rows;
  if (row === undefined) return null;
  return isValidTime(row.created_at) ? row.created_at : 0;
}

/**
 * Lists the runs that were deleted in the last `ageMs` by the clock of the database, the last one first. Of a deleted
 * run the store has only its id, its sequence, its final state, and the time of the deletion; other fields are empty.
 */
export async function listDeleted(
  sql: SqlPool,
  tenantId: string,
  ageMs: number,
  limit: number,
  signal?: AbortSignal,
): Promise<readonly RunHeader[]> {
  const { rows } = await sql.query<DeletedRow>(DELETED, [tenantId, ageMs, limit], signal);
  return rows.map((row) => ({
    runId: row.run_id,
    tenantId,
    flowId: "",
    version: "",
    flowHash: "",
    state: isRunState(row.last_state) ? row.last_state : "QUARANTINED",
    sequence: row.last_sequence,
    labels: {},
    userId: "",
    correlationId: "",
    runKey: "",
    parentRunId: "",
    createdAt: Number.NaN,
    updatedAt: isValidTime(row.created_at) ? row.created_at : 0,
    endedAt: null,
    deadlineAt: null,
    deleted: true,
  }));
}
