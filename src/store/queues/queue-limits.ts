/**
 * Keeps the limits of queues in the rows of waiting tasks. The statement that makes a task wait defers it if its queue
 * is drained; what is too much for a queue is deferred here, a moment later. No run is read.
 *
 * Rows that a commit holds are left for the next time, so neither waits for the other in a circle.
 */
import type { QueueLimitStore } from "../../engine/ports/dispatch/queues.ts";
import type { Database } from "../sql/pool.ts";
import { prepared } from "../sql/sql.ts";
import { TELL, TIDY } from "./queue-statements.ts";

/** Most rows that one statement changes: commits wait for it. */
const MAX_ROWS = 5_000;

/** Most queues that are changed in one transaction. */
const MAX_QUEUES = 50;

const LOCK = prepared("queue_limits.lock", "SELECT pg_try_advisory_xact_lock(7310416285) AS is_first");

/** Queues with too many tasks, with room for deferred ones, or with settings that say nothing. */
const FIND = prepared(
  "queue_limits.find",
  `SELECT tenant_id, queue, coalesce(max_length - length, deferred) AS room, says_nothing FROM (
    SELECT q.tenant_id, q.queue, q.max_length, q.draining_at IS NOT NULL AS drained,
      coalesce(sum(p.count) FILTER (WHERE NOT p.deferred), 0)::float8 AS length, coalesce(sum(p.count) FILTER (WHERE p.deferred), 0)::float8 AS deferred,
      q.paused_at IS NULL AND q.draining_at IS NULL AND q.max_length IS NULL AND q.ttl_ms IS NULL AND q.build_ids = '{}' AS says_nothing
    FROM orchestrator.queues q LEFT JOIN orchestrator.waiting_parts p ON p.tenant_id = q.tenant_id AND p.queue = q.queue
    GROUP BY q.tenant_id, q.queue
  ) AS lengths
  WHERE says_nothing OR length > max_length OR (deferred > 0 AND NOT drained AND length < coalesce(max_length, length + 1))
  ORDER BY tenant_id, queue LIMIT ${MAX_QUEUES + 1}`,
);

const DEFER = prepared(
  "queue_limits.defer",
  `UPDATE orchestrator.waiting_tasks SET deferred = true WHERE ctid = ANY(ARRAY(
    SELECT ctid FROM orchestrator.waiting_tasks WHERE tenant_id = $1 AND queue = $2 AND NOT deferred
    ORDER BY held DESC, ready_at DESC LIMIT $3 FOR UPDATE SKIP LOCKED))`,
);

const LET_IN = prepared(
  "queue_limits.let_in",
  `UPDATE orchestrator.waiting_tasks SET deferred = false WHERE ctid = ANY(ARRAY(
    SELECT ctid FROM orchestrator.waiting_tasks WHERE tenant_id = $1 AND queue = $2 AND deferred
    ORDER BY held, ready_at LIMIT $3 FOR UPDATE SKIP LOCKED))`,
);

// Nothing waits for a hundred years; a damaged row with more must not fail the statement for all queues.
const TTL_MS = "least(q.ttl_ms, 3155760000000)";

const EXPIRED = prepared(
  "queue_limits.expired",
  `SELECT w.run_id, w.task_path, q.queue, ${TTL_MS} AS ttl_ms FROM orchestrator.queues q
  CROSS JOIN (VALUES (false, false), (false, true), (true, false), (true, true)) AS s (deferred, held)
  CROSS JOIN LATERAL (
    SELECT run_id, task_path FROM orchestrator.waiting_tasks w
    WHERE w.tenant_id = q.tenant_id AND w.queue = q.queue AND w.deferred = s.deferred AND w.held = s.held
      AND w.ready_at < statement_timestamp() - ${TTL_MS} * interval '1 millisecond' AND w.shard = ANY($1::int2[])
    ORDER BY w.ready_at LIMIT $2
  ) AS w
  WHERE q.ttl_ms IS NOT NULL LIMIT $2`,
);

interface UnsettledRow {
  readonly tenant_id: string;
  readonly queue: string;
  /** Tasks that may come in; negative: tasks that must go. */
  readonly room: number;
  readonly says_nothing: boolean;
}

/** The limits of the queues of a database. */
export function createQueueLimitStore({ journal, reads }: Database): QueueLimitStore {
  return {
    settle: () =>
      journal.transaction(async (runner) => {
        const { rows: locks } = await runner.query<{ is_first: boolean }>(LOCK);
        if (locks[0]?.is_first !== true) return { hasChanged: false, isMore: false };
        const { rows } = await runner.query<UnsettledRow>(FIND);
        let isMore = rows.length > MAX_QUEUES;
        let changed = 0;
        for (const { tenant_id, queue, room, says_nothing } of rows.slice(0, MAX_QUEUES)) {
          const wanted = Math.abs(room);
          const values = [tenant_id, queue, Math.min(wanted, MAX_ROWS)];
          if (wanted > 0) changed += (await runner.query(room < 0 ? DEFER : LET_IN, values)).count;
          if (says_nothing && wanted <= MAX_ROWS) changed += (await runner.query(TIDY, [tenant_id, queue])).count;
          isMore ||= wanted > MAX_ROWS;
        }
        if (changed > 0) await runner.query(TELL);
        return { hasChanged: changed > 0, isMore };
      }),
    listExpired: async (shards, limit) => {
      const { rows } = await reads.query<{ run_id: string; task_path: string; queue: string; ttl_ms: number }>(
        EXPIRED,
        [shards, limit],
      );
      return rows.map(({ run_id, task_path, queue, ttl_ms }) => ({
        runId: run_id,
        path: task_path,
        queue,
        ttlMs: ttl_ms,
      }));
    },
  };
}
