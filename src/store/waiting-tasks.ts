/** Waiting and handed-out tasks, for those that hand them out. The rows are written with the journal. */
import type { ReadyTask, WaitingTaskStore } from "../engine/ports/dispatch/hand-overs.ts";
import type { Database } from "./sql/pool.ts";
import { prepared } from "./sql/sql.ts";

const LIST_WAITING = prepared(
  "waiting_tasks.list",
  `SELECT run_id, task_path, rank, round(extract(epoch FROM ready_at) * 1000)::float8 AS ready_at, fairness_key, turn::float8 AS turn
  FROM orchestrator.waiting_tasks
  WHERE tenant_id = $2 AND queue = $3 AND handler = $4 AND labels = $5 AND NOT held AND NOT deferred AND shard = ANY($1::int2[])
    AND ($6::int2 IS NULL OR (rank, turn, ready_at, run_id, task_path) > ($6::int2, $7::int8, to_timestamp($8::float8 / 1000), $9::text, $10::text))
  ORDER BY rank, turn, ready_at, run_id, task_path LIMIT $11`,
);

/** Most sets of labels of a line. */
const MAX_LABEL_SETS = 1_000;

const LIST_LABELS = prepared(
  "waiting_tasks.labels",
  `SELECT labels FROM orchestrator.waiting_parts WHERE tenant_id = $1 AND queue = $2 AND handler = $3 AND labels <> ''
  GROUP BY labels HAVING sum(count) > 0 LIMIT ${MAX_LABEL_SETS}`,
);

const LIST_FOR_TOPICS = prepared(
  "waiting_tasks.list_for_topics",
  `SELECT run_id, task_path, tenant_id, queue, handler, rank, round(extract(epoch FROM ready_at) * 1000)::float8 AS ready_at
  FROM orchestrator.waiting_tasks
  WHERE transport = 'topic' AND NOT held AND shard = ANY($1::int2[]) AND (run_id, task_path) > ($2::text, $3::text)
  ORDER BY run_id, task_path LIMIT $4`,
);

const LIST_HANDED_OUT = prepared(
  "runs.list_handed_out",
  "SELECT run_id FROM orchestrator.runs WHERE shard = ANY($1::int2[]) AND handed_out AND ended_at IS NULL",
);

interface TopicRow extends Row {
  readonly tenant_id: string;
  readonly queue: string;
  readonly handler: string;
}

interface Row {
  readonly run_id: string;
  readonly task_path: string;
  readonly rank: number;
  readonly ready_at: number;
  readonly fairness_key: string;
  readonly turn: number;
}

/** The waiting tasks of a database. */
export function createWaitingTaskStore({ reads }: Database): WaitingTaskStore {
  return {
    listWaiting: async (shards, { tenantId, queue, handler, labels }, after, limit) => {
      const place =
        after === null
          ? [null, null, null, null, null]
          : [-after.priority, after.turn, after.since, after.runId, after.path];
      const line = [tenantId, queue, handler, labels];
      const { rows } = await reads.query<Row>(LIST_WAITING, [shards, ...line, ...place, limit]);
      return rows.map(
        (row): ReadyTask => ({
          runId: row.run_id,
          tenantId,
          path: row.task_path,
          transport: "worker",
          queue,
          handler,
          priority: -row.rank,
          since: row.ready_at,
          labels,
          fairnessKey: row.fairness_key,
          turn: row.turn,
        }),
      );
    },
    listLabels: async ({ tenantId, queue, handler }) => {
      const { rows } = await reads.query<{ labels: string }>(LIST_LABELS, [tenantId, queue, handler]);
      return rows.map(({ labels }) => labels);
    },
    listForTopics: async (shards, after, limit) => {
      const { runId = "", path = "" } = after ?? {};
      const { rows } = await reads.query<TopicRow>(LIST_FOR_TOPICS, [shards, runId, path, limit]);
      return rows.map(
        (row): ReadyTask => ({
          ...{ runId: row.run_id, path: row.task_path, tenantId: row.tenant_id, transport: "topic" },
          ...{ queue: row.queue, handler: row.handler, priority: -row.rank, since: row.ready_at },
          ...{ labels: "", fairnessKey: "", turn: row.ready_at },
        }),
      );
    },
    listHandedOut: async (shards) => {
      const { rows } = await reads.query<{ run_id: string }>(LIST_HANDED_OUT, [shards]);
      return rows.map(({ run_id }) => run_id);
    },
  };
}
