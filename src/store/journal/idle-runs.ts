/** Idle runs, by the index of those that recover. */
import type { IdleRun, IdleRuns } from "../../engine/ports/dispatch/idle-runs.ts";
import { prepared, type SqlRunner } from "../sql/sql.ts";

const LIST_IDLE = prepared(
  "runs.list_idle",
  `SELECT run_id AS "runId", tenant_id AS "tenantId", flow_id AS "flowId", flow_hash AS "flowHash",
    (extract(epoch FROM updated_at) * 1000)::float8 AS "updatedAt"
  FROM orchestrator.runs
  WHERE shard = ANY($1::int2[]) AND ended_at IS NULL AND labels ? 'orchestrator.dev/recovery'
    AND updated_at < to_timestamp($2::float8 / 1000) AND (updated_at, run_id) > (to_timestamp($3::float8 / 1000), $4::text)
  ORDER BY updated_at, run_id LIMIT $5`,
);

/** Creates the port over a database. */
export function createIdleRuns(reads: SqlRunner): IdleRuns {
  return {
    async listIdle(shards, before, after, limit) {
      const values = [shards, before, after?.updatedAt ?? 0, after?.runId ?? "", limit];
      const { rows } = await reads.query<IdleRun>(LIST_IDLE, values);
      return rows;
    },
  };
}
