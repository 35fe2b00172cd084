/** Settings of queues, and counts of what waits in them. Every number comes from sums or from the end of an index. */
import { fail } from "../../base/errors.ts";
import type {
  QueueChange,
  QueueCounts,
  QueueSettings,
  QueueStop,
  QueueStore,
  QueueTotals,
  TaskCounts,
  WaitingLine,
  WaitingPlace,
} from "../../engine/ports/dispatch/queues.ts";
import type { Database } from "../sql/pool.ts";
import { exactInt8, prepared, type Statement, spanMs } from "../sql/sql.ts";
import { createQueueLimitStore } from "./queue-limits.ts";
import { CHANNEL, TELL, TIDY } from "./queue-statements.ts";

/** Most queues of a tenant that have settings. */
const MAX_QUEUES = 10_000;

/** Most handlers that are counted apart. */
const MAX_HANDLERS = 50;

const COLUMNS = `tenant_id, queue, paused_at, paused_by, pause_reason, draining_at, draining_by, drain_reason, max_length,
  ${exactInt8("ttl_ms")} AS ttl_ms, build_ids`;

const LIST = prepared("queues.list", `SELECT ${COLUMNS} FROM orchestrator.queues`);

const FIND = prepared(
  "queues.find",
  `SELECT ${COLUMNS} FROM orchestrator.queues WHERE tenant_id = $1 AND queue = ANY($2::text[])`,
);

const NAMES = prepared(
  "queues.names",
  // Jumps from name to name: a queue has a row for each handler and priority. What begins with @ is no queue.
  `WITH RECURSIVE counted AS (
    (SELECT queue FROM orchestrator.waiting_counts WHERE tenant_id = $1 AND queue > $2 ORDER BY queue LIMIT 1)
    UNION ALL SELECT (SELECT w.queue FROM orchestrator.waiting_counts w WHERE w.tenant_id = $1 AND w.queue > c.queue ORDER BY w.queue LIMIT 1)
    FROM counted c WHERE c.queue IS NOT NULL
  )
  SELECT queue FROM (
    (SELECT queue FROM orchestrator.queues WHERE tenant_id = $1 AND queue > $2 ORDER BY queue LIMIT $3)
    UNION (SELECT queue FROM counted WHERE queue IS NOT NULL AND NOT starts_with(queue, '@') LIMIT $3)
    UNION (SELECT DISTINCT queue FROM orchestrator.waiting_count_changes
      WHERE tenant_id = $1 AND queue > $2 AND NOT starts_with(queue, '@') ORDER BY queue LIMIT $3)
  ) AS names ORDER BY queue LIMIT $3`,
);

const COUNTS = prepared(
  "queues.counts",
  `WITH lines AS (
    SELECT queue, handler, rank,
      coalesce(sum(count) FILTER (WHERE NOT held AND NOT deferred), 0) AS waiting,
      coalesce(sum(count) FILTER (WHERE deferred), 0) AS deferred,
      coalesce(sum(count) FILTER (WHERE held AND NOT deferred), 0) AS held
    FROM orchestrator.waiting_parts WHERE tenant_id = $1 AND queue = ANY($2::text[]) GROUP BY queue, handler, rank
  ),
  handlers AS (
    SELECT queue, handler, sum(waiting) AS waiting, sum(deferred) AS deferred, sum(held) AS held, min(rank) FILTER (WHERE waiting > 0) AS rank,
      row_number() OVER (PARTITION BY queue ORDER BY sum(waiting) DESC, sum(deferred) DESC, handler) AS place
    FROM lines GROUP BY queue, handler HAVING sum(waiting) + sum(deferred) + sum(held) > 0
  )
  SELECT h.queue, sum(waiting)::float8 AS waiting, sum(deferred)::float8 AS deferred, sum(held)::float8 AS held, min(rank)::int AS rank,
    (SELECT round(extract(epoch FROM w.ready_at) * 1000)::float8 FROM orchestrator.waiting_tasks w
      WHERE w.tenant_id = $1 AND w.queue = h.queue AND NOT w.deferred AND NOT w.held ORDER BY w.ready_at LIMIT 1) AS oldest_at,
    json_agg(json_build_object('handler', handler, 'waiting', waiting, 'deferred', deferred, 'held', held) ORDER BY place)
      FILTER (WHERE place <= ${MAX_HANDLERS}) AS handlers
  FROM handlers h GROUP BY h.queue`,
);

// Two calls at once may both be the last one that fits: the bound is one on memory, and a few more do no harm.
const ROOM = `EXISTS (SELECT 1 FROM orchestrator.queues WHERE tenant_id = $1 AND queue = $2)
    OR (SELECT count(*) FROM orchestrator.queues WHERE tenant_id = $1) < ${MAX_QUEUES}`;

const changing = (name: string, columns: string, values: string, update: string): Statement =>
  prepared(
    `queues.${name}`,
    `INSERT INTO orchestrator.queues AS q (tenant_id, queue, ${columns}) SELECT $1, $2, ${values} WHERE ${ROOM}
  ON CONFLICT (tenant_id, queue) DO UPDATE SET ${update}, updated_at = clock_timestamp() RETURNING ${COLUMNS}`,
  );

/** The first one to stop a queue is the one who did. */
const stopping = (name: string, at: string, by: string, why: string): Statement =>
  changing(
    name,
    `${at}, ${by}, ${why}`,
    "clock_timestamp(), $3, $4",
    `${at} = coalesce(q.${at}, excluded.${at}), ${by} = CASE WHEN q.${at} IS NULL THEN excluded.${by} ELSE q.${by} END,
    ${why} = CASE WHEN q.${at} IS NULL THEN excluded.${why} ELSE q.${why} END`,
  );

const PAUSE = stopping("pause", "paused_at", "paused_by", "pause_reason");
const DRAIN = stopping("drain", "draining_at", "draining_by", "drain_reason");

const UPDATE = changing(
  "update",
  "max_length, ttl_ms, build_ids",
  "$4::int4, $6::int8, coalesce($8::text[], '{}')",
  `max_length = CASE WHEN $3::bool THEN excluded.max_length ELSE q.max_length END,
    ttl_ms = CASE WHEN $5::bool THEN excluded.ttl_ms ELSE q.ttl_ms END,
    build_ids = CASE WHEN $7::bool THEN excluded.build_ids ELSE q.build_ids END`,
);

const RESUME = prepared(
  "queues.resume",
  `UPDATE orchestrator.queues SET paused_at = NULL, paused_by = '', pause_reason = '', draining_at = NULL, draining_by = '', drain_reason = '',
    updated_at = clock_timestamp()
  WHERE tenant_id = $1 AND queue = $2 RETURNING ${COLUMNS}`,
);

const PLACE = prepared(
  "queues.place",
  `SELECT w.tenant_id AS "tenantId", w.queue, w.handler, w.labels, w.deferred, (
    SELECT count(*) FROM (
      SELECT 1 FROM orchestrator.waiting_tasks b
      WHERE b.tenant_id = w.tenant_id AND b.queue = w.queue AND b.handler = w.handler AND b.labels = w.labels AND NOT b.held AND NOT b.deferred
        AND (b.rank, b.turn, b.ready_at, b.run_id, b.task_path) < (w.rank, w.turn, w.ready_at, w.run_id, w.task_path)
      LIMIT 1001
    ) AS before)::int AS ahead
  FROM orchestrator.waiting_tasks w WHERE w.run_id = $2 AND w.task_path = $3 AND w.tenant_id = $1`,
);

const LINES = prepared(
  "queues.lines",
  `SELECT l.tenant_id AS "tenantId", l.queue, l.handler, l.labels, l.count::float8 AS count,
    ${spanMs("w.ready_at", "statement_timestamp()")} AS "ageMs"
  FROM (
    SELECT tenant_id, queue, handler, labels, sum(count) AS count FROM orchestrator.waiting_parts WHERE NOT held AND NOT deferred
    GROUP BY tenant_id, queue, handler, labels HAVING sum(count) > 0 LIMIT 1000
  ) AS l
  CROSS JOIN LATERAL (
    SELECT ready_at FROM orchestrator.waiting_tasks w
    WHERE w.tenant_id = l.tenant_id AND w.queue = l.queue AND w.handler = l.handler AND w.labels = l.labels AND NOT w.held AND NOT w.deferred
    ORDER BY w.rank, w.turn, w.ready_at, w.run_id, w.task_path LIMIT 1
  ) AS w`,
);

const TOTALS = prepared(
  "queues.totals",
  `SELECT queue, sum(waiting)::float8 AS waiting, sum(deferred)::float8 AS deferred, sum(held)::float8 AS held, coalesce(max(age_ms), 0)::float8 AS "ageMs"
  FROM (
    SELECT c.*, (SELECT ${spanMs("w.ready_at", "statement_timestamp()")} FROM orchestrator.waiting_tasks w
      WHERE w.tenant_id = c.tenant_id AND w.queue = c.queue AND NOT w.deferred AND NOT w.held ORDER BY w.ready_at LIMIT 1) AS age_ms
    FROM (
      SELECT tenant_id, queue, coalesce(sum(count) FILTER (WHERE NOT held AND NOT deferred), 0) AS waiting,
        coalesce(sum(count) FILTER (WHERE deferred), 0) AS deferred, coalesce(sum(count) FILTER (WHERE held AND NOT deferred), 0) AS held
      FROM orchestrator.waiting_parts GROUP BY tenant_id, queue HAVING sum(count) > 0 ORDER BY sum(count) DESC LIMIT 200
    ) AS c
  ) AS ages
  GROUP BY queue ORDER BY queue`,
);

interface SettingsRow {
  readonly tenant_id: string;
  readonly queue: string;
  readonly paused_at: number | null;
  readonly paused_by: string;
  readonly pause_reason: string;
  readonly draining_at: number | null;
  readonly draining_by: string;
  readonly drain_reason: string;
  readonly max_length: number | null;
  readonly ttl_ms: number | null;
  readonly build_ids: readonly string[];
}

interface CountsRow extends TaskCounts {
  readonly queue: string;
  readonly rank: number | null;
  readonly oldest_at: number | null;
  readonly handlers: QueueCounts["handlers"];
}

/** Behind a pooler nothing is announced, and settings are read so often, milliseconds. */
const POLL_EVERY_MS = 1_000;

/** The queues of a database. `alone`: no other instance changes them. */
export function createQueueStore(database: Database, { alone = false } = {}): QueueStore {
  const { reads, journal } = database;
  return {
    ...createQueueLimitStore(database),
    listAll: async () => (await reads.query<SettingsRow>(LIST)).rows.map(toSettings),
    find: async (tenantId, queues) => {
      const { rows } = await reads.query<SettingsRow>(FIND, [tenantId, queues]);
      const found = new Map(rows.map((row) => [row.queue, toSettings(row)]));
      return queues.map((queue) => found.get(queue) ?? noSettings(tenantId, queue));
    },
    listNames: async (tenantId, after, limit) => {
      const { rows } = await reads.query<{ queue: string }>(NAMES, [tenantId, after, limit]);
      return rows.map(({ queue }) => queue);
    },
    count: async (tenantId, queues) => {
      const { rows } = await reads.query<CountsRow>(COUNTS, [tenantId, queues]);
      return rows.map(({ rank, oldest_at, ...counts }) => ({
        ...counts,
        oldestAt: oldest_at,
        priority: rank === null ? null : 0 - rank,
      }));
    },
    findPlace: async (tenantId, runId, path) =>
      (await reads.query<WaitingPlace>(PLACE, [tenantId, runId, path])).rows[0] ?? null,
    listLines: async () => (await reads.query<WaitingLine>(LINES)).rows,
    listTotals: async () => (await reads.query<QueueTotals>(TOTALS)).rows,
    change: (tenantId, queue, by, change) =>
      journal.transaction(async (runner) => {
        const { statement, values } = toStatement(by, change);
        const { rows } = await runner.query<SettingsRow>(statement, [tenantId, queue, ...values]);
        await runner.query(TIDY, [tenantId, queue]);
        await runner.query(TELL);
        const [row] = rows;
        if (row !== undefined) return toSettings(row);
        return change.type === "resume" ? noSettings(tenantId, queue) : fail("TOO_MANY_QUEUES", { limit: MAX_QUEUES });
      }),
    listen: (listener) => (alone ? async () => {} : database.listen(CHANNEL, listener, { pollMs: POLL_EVERY_MS })),
  };
}

function toStatement(by: string, change: QueueChange) {
  switch (change.type) {
    case "pause":
      return { statement: PAUSE, values: [by, change.why] };
    case "drain":
      return { statement: DRAIN, values: [by, change.why] };
    case "resume":
      return { statement: RESUME, values: [] };
    case "update": {
      const { maxLength, ttlMs, buildIds } = change;
      const set = <T>(value: T | undefined) => [value !== undefined, value ?? null] as const;
      return { statement: UPDATE, values: [...set(maxLength), ...set(ttlMs), ...set(buildIds)] };
    }
  }
}

/** Settings of a queue about which nobody has said anything. */
function noSettings(tenantId: string, queue: string): QueueSettings {
  return { tenantId, queue, pause: null, drain: null, maxLength: null, ttlMs: null, buildIds: [] };
}

function toSettings(row: SettingsRow): QueueSettings {
  return {
    tenantId: row.tenant_id,
    queue: row.queue,
    pause: toStop(row.paused_at, row.paused_by, row.pause_reason),
    drain: toStop(row.draining_at, row.draining_by, row.drain_reason),
    maxLength: row.max_length,
    ttlMs: row.ttl_ms,
    buildIds: row.build_ids,
  };
}

function toStop(since: number | null, by: string, why: string): QueueStop | null {
  return since === null ? null : { by, why, since };
}
