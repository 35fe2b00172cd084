/** Waiting and handed-out tasks, for those that hand them out. The rows are written with the journal. */

import { gatherCalls } from "../base/time/gather-calls.ts";
import type { LabeledLine, Line, ReadyTask, WaitingTaskStore } from "../engine/ports/dispatch/hand-overs.ts";
import type { Database } from "./sql/pool.ts";
import { exactInt8, prepared, preparedByIndex, type Statement } from "./sql/sql.ts";

const listLine = (after: string): string => `
  SELECT run_id, task_path, rank, round(extract(epoch FROM ready_at) * 1000)::float8 AS ready_at, fairness_key, ${exactInt8("turn")} AS turn
  FROM orchestrator.waiting_tasks w
  WHERE tenant_id = $2 AND queue = $3 AND handler = $4 AND labels = $5 AND NOT held AND NOT deferred AND shard = ANY($1::int2[])${after}
  ORDER BY w.rank, w.turn, w.ready_at, w.run_id, w.task_path LIMIT $6`;

const LIST_WAITING = preparedByIndex("waiting_tasks.list", listLine(""));

const LIST_WAITING_AFTER = preparedByIndex(
  "waiting_tasks.list_after",
  listLine(`
    AND (rank, turn, ready_at, run_id, task_path) > ($7::int2, $8::int8, to_timestamp($9::float8 / 1000), $10::text, $11::text)`),
);

/**
 * Most lines in one statement. A worker may serve a thousand lines, most of which are empty: a statement for each would
 * keep the database busy for seconds.
 */
const MAX_LINES = 1_000;

/** The lines in which tasks wait. Found line by line, by the order of the index, however many tasks there are. */
const LIST_FILLED = preparedByIndex(
  "waiting_tasks.list_filled",
  `SELECT line.place::int4 - 1 AS place
  FROM unnest($2::text[], $3::text[], $4::text[], $5::text[]) WITH ORDINALITY AS line (tenant_id, queue, handler, labels, place)
  CROSS JOIN LATERAL (
    SELECT 1 FROM orchestrator.waiting_tasks AS task
    WHERE task.tenant_id = line.tenant_id AND task.queue = line.queue AND task.handler = line.handler
      AND task.labels = line.labels AND NOT task.held AND NOT task.deferred AND task.shard = ANY($1::int2[])
    LIMIT 1
  ) AS filled`,
);

/** Most sets of labels of a line. */
const MAX_LABEL_SETS = 1_000;

const LIST_LABELS = preparedByIndex(
  "waiting_tasks.labels",
  `SELECT tenant_id, queue, handler, labels FROM orchestrator.waiting_parts
  WHERE (tenant_id, queue, handler) IN (SELECT * FROM unnest($1::text[], $2::text[], $3::text[])) AND labels <> ''
  GROUP BY tenant_id, queue, handler, labels HAVING sum(count) > 0`,
);

const LIST_CARRIED = preparedByIndex(
  "waiting_tasks.list_carried",
  `SELECT run_id, task_path, tenant_id, queue, handler, rank, round(extract(epoch FROM ready_at) * 1000)::float8 AS ready_at
  FROM orchestrator.waiting_tasks
  WHERE starts_with(queue, '@') AND starts_with(queue, $5) AND NOT held AND shard = ANY($1::int2[])
    AND (run_id, task_path) > ($2::text, $3::text)
  ORDER BY run_id, task_path LIMIT $4`,
);

/** Tasks without a handler are events, which no worker can do. */
const readdress = (name: string, isMeant: string, queue: string): Statement =>
  preparedByIndex(
    `waiting_tasks.${name}`,
    `WITH meant AS (
    SELECT run_id, task_path FROM orchestrator.waiting_tasks w WHERE shard = ANY($1::int2[]) AND transport IN ('topic', 'topics') AND ${isMeant}
  ),
  free AS (
    SELECT w.run_id, w.task_path FROM orchestrator.waiting_tasks w JOIN meant USING (run_id, task_path) FOR UPDATE OF w SKIP LOCKED
  ),
  moved AS (
    UPDATE orchestrator.waiting_tasks w SET queue = ${queue}, deferred = false FROM free f
    WHERE w.run_id = f.run_id AND w.task_path = f.task_path RETURNING 1
  )
  SELECT ((SELECT count(*) FROM meant) - (SELECT count(*) FROM moved))::int AS left_over`,
  );

const TO_TOPICS = readdress("to_topics", "NOT starts_with(w.queue, '@')", "$2::text || w.queue");
const TO_WORKERS = readdress(
  "to_workers",
  "starts_with(w.queue, '@') AND w.handler <> ''",
  "substr(w.queue, length($2::text) + 1)",
);

const LIST_HANDED_OUT = prepared(
  "runs.list_handed_out",
  "SELECT run_id FROM orchestrator.runs WHERE shard = ANY($1::int2[]) AND handed_out AND ended_at IS NULL",
);

/** Whether tasks wait in a line, on these shards. */
interface Asked {
  readonly shards: readonly number[];
  readonly line: LabeledLine;
}

interface LabelRow {
  readonly tenant_id: string;
  readonly queue: string;
  readonly handler: string;
  readonly labels: string;
}

interface CarriedRow extends Row {
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
  const listWaiting: WaitingTaskStore["listWaiting"] = async (
    shards,
    { tenantId, queue, handler, labels },
    after,
    limit,
  ) => {
    const values = [shards, tenantId, queue, handler, labels, limit];
    const { rows } = await (after === null
      ? reads.query<Row>(LIST_WAITING, values)
      : reads.query<Row>(LIST_WAITING_AFTER, [
          ...values,
          ...[-after.priority, after.turn, after.since, after.runId, after.path],
        ]));
    return rows.map(
      (row): ReadyTask => ({
        runId: row.run_id,
        tenantId,
        path: row.task_path,
        queue,
        handler,
        priority: -row.rank,
        since: row.ready_at,
        labels,
        fairnessKey: row.fairness_key,
        turn: row.turn,
      }),
    );
  };
  const isFilled = gatherCalls(async (asked: readonly Asked[]): Promise<readonly boolean[]> => {
    const [first] = asked;
    // The question itself tells, and costs no more.
    if (first === undefined || asked.length === 1) return [true];
    const lines = asked.map(({ line }) => line);
    // Of one turn of the event loop, in which the shards of the instance do not change.
    const { rows } = await reads.query<{ place: number }>(LIST_FILLED, [first.shards, ...columnsOf(lines)]);
    const filled = new Set(rows.map(({ place }) => place));
    return asked.map((_, place) => filled.has(place));
  }, MAX_LINES);
  const labelsOf = gatherCalls(async (lines: readonly Line[]): Promise<readonly (readonly string[])[]> => {
    const [tenants, queues, handlers] = columnsOf(lines);
    const { rows } = await reads.query<LabelRow>(LIST_LABELS, [tenants, queues, handlers]);
    const found = Map.groupBy(rows, ({ tenant_id, queue, handler }) => nameOf({ tenantId: tenant_id, queue, handler }));
    return lines.map((line) => (found.get(nameOf(line)) ?? []).slice(0, MAX_LABEL_SETS).map(({ labels }) => labels));
  }, MAX_LINES);
  return {
    listWaiting: async (shards, line, after, limit) => {
      if (after === null && !(await isFilled({ shards, line }))) return [];
      return listWaiting(shards, line, after, limit);
    },
    listLabels: labelsOf,
    listCarried: async (mark, shards, after, limit) => {
      const { runId = "", path = "" } = after ?? {};
      const { rows } = await reads.query<CarriedRow>(LIST_CARRIED, [shards, runId, path, limit, mark]);
      return rows.map(
        (row): ReadyTask => ({
          ...{ runId: row.run_id, path: row.task_path, tenantId: row.tenant_id },
          ...{ queue: row.queue, handler: row.handler, priority: -row.rank, since: row.ready_at },
          ...{ labels: "", fairnessKey: "", turn: row.ready_at },
        }),
      );
    },
    readdress: async (shards, mark, isServed) => {
      const { rows } = await reads.query<{ left_over: number }>(isServed ? TO_TOPICS : TO_WORKERS, [shards, mark]);
      return rows[0]?.left_over ?? 0;
    },
    listHandedOut: async (shards) => {
      const { rows } = await reads.query<{ run_id: string }>(LIST_HANDED_OUT, [shards]);
      return rows.map(({ run_id }) => run_id);
    },
  };
}

/** Names of queues and handlers hold no blanks. */
function nameOf({ tenantId, queue, handler }: Line): string {
  return `${queue} ${handler} ${tenantId}`;
}

/** The lines as arrays for `unnest`: tenants, queues, handlers, labels. */
function columnsOf(lines: readonly (Line & { readonly labels?: string })[]) {
  return [
    lines.map(({ tenantId }) => tenantId),
    lines.map(({ queue }) => queue),
    lines.map(({ handler }) => handler),
    lines.map(({ labels }) => labels ?? ""),
  ] as const;
}
