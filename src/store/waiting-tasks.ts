/** Waiting and handed-out tasks, for those that hand them out. The rows are written with the journal. */
import type { ReadyTask, WaitingTaskStore } from "../engine/ports/dispatch/hand-overs.ts";
import type { Database } from "./sql/pool.ts";
import { prepared } from "./sql/sql.ts";

const LIST_WAITING = prepared(
  "waiting_tasks.list",
  `SELECT run_id, task_path, rank, round(extract(epoch FROM ready_at) * 1000)::float8 AS ready_at
  FROM orchestrator.waiting_tasks
  WHERE tenant_id = $2 AND queue = $3 AND handler = $4 AND NOT held AND NOT deferred AND shard = ANY($1::int2[])
    AND ($5::int2 IS NULL OR (rank, ready_at, run_id, task_path) > ($5::int2, to_timestamp($6::float8 / 1000), $7::text, $8::text))
  ORDER BY rank, ready_at, run_id, task_path LIMIT $9`,
);

const LIST_HANDED_OUT = prepared(
  "runs.list_handed_out",
  "SELECT run_id FROM orchestrator.runs WHERE shard = ANY($1::int2[]) AND handed_out AND ended_at IS NULL",
);

interface Row {
  readonly run_id: string;
  readonly task_path: string;
  readonly rank: number;
  readonly ready_at: number;
}

/** The waiting tasks of a database. */
export function createWaitingTaskStore({ reads }: Database): WaitingTaskStore {
  return {
    listWaiting: async (shards, { tenantId, queue, handler }, after, limit) => {
      const place = after === null ? [null, null, null, null] : [-after.priority, after.since, after.runId, after.path];
      const { rows } = await reads.query<Row>(LIST_WAITING, [shards, tenantId, queue, handler, ...place, limit]);
      return rows.map(
        (row): ReadyTask => ({
          runId: row.run_id,
          tenantId,
          path: row.task_path,
          queue,
          handler,
          priority: -row.rank,
          since: row.ready_at,
        }),
      );
    },
    listHandedOut: async (shards) => {
      const { rows } = await reads.query<{ run_id: string }>(LIST_HANDED_OUT, [shards]);
      return rows.map(({ run_id }) => run_id);
    },
  };
}
