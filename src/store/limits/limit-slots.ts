/**
 * Gives out slots of limits. One statement looks at many limits: what is free of each goes to the first in its line.
 *
 * It counts rows, so it must be the only one that gives out slots of a limit: it holds the lease of the limit's home,
 * and its caller sends one at a time. Others only make more room. It waits for nobody: rows that a commit holds are
 * left for the next time.
 */

import { hashKey } from "../../base/ids.ts";
import type { Grant, LimitKey, LimitSlotStore } from "../../engine/ports/dispatch/limits.ts";
import type { Lease } from "../../engine/ports/leases.ts";
import type { Database } from "../sql/pool.ts";
import { prepared, preparedByIndex, type Statement, spanMs } from "../sql/sql.ts";

/** Most slots of a limit that one statement gives out. */
const PAGE = 200;

/** Most slots of dead or forgetful owners that are looked at at a time. */
const MAX_GRANTED = 1_000;

/** Limits of a page. */
const MAX_LIMITS = 1_000;

const HELD = `held AS MATERIALIZED (
  SELECT l.shard FROM orchestrator.shard_leases l
  JOIN unnest($1::int2[], $2::int4[]) AS w (shard, epoch) ON w.shard = l.shard AND w.epoch = l.epoch
  WHERE clock_timestamp() < to_timestamp($3::float8 / 1000)
  ORDER BY l.shard FOR SHARE OF l
)`;

const ELAPSED_MS = spanMs("refilled_at", "clock_timestamp()");

/** The first in the line of a limit `b`, if the condition on `b` is met, by an index of those that meet one on `s`. */
const firstOf = (given: string, isInLine = "true"): string => `(
      SELECT s.* FROM orchestrator.limit_slots s
      WHERE ${given} AND s.tenant_id = b.tenant_id AND s.name = b.name AND s.key = b.key AND s.state = 'waiting' AND ${isInLine}
        AND (SELECT q.state FROM orchestrator.runs q WHERE q.run_id = s.run_id) IS DISTINCT FROM 'QUARANTINED'
      ORDER BY s.rank, s.since, s.run_id, s.task_path LIMIT ${PAGE}
    )`;

/**
 * The first in each line, judged by their own bounds, unless the limit is declared. Nobody passes one who has to wait.
 * One without any bound gets nothing, since the name of its limit may be misspelled, and is not in line: it could never
 * leave, and flows that do state bounds share the limit. An index leaves those out, so that they cost nothing.
 *
 * The plan may be made while the table is empty, when each plan seems to cost nothing. So what is looked up by key is
 * written in a way that leaves no other: subqueries instead of joins, arrays of keys, and, beside a key, no condition
 * that an index of its own is for.
 */
const GRANT = preparedByIndex(
  "limit_slots.grant",
  `WITH ${HELD},
asked AS MATERIALIZED (
  SELECT k.* FROM unnest($4::text[], $5::text[], $6::text[], $7::int2[]) WITH ORDINALITY AS k (tenant_id, name, key, home, place)
  JOIN held ON held.shard = k.home
),
bounds AS MATERIALIZED (
  SELECT a.*, d.name IS NOT NULL AS declared, d.max_concurrent, d.rate_count, d.rate_per_ms, r.tokens, r.refilled_at,
    (SELECT count(*) FROM (
      SELECT 1 FROM orchestrator.limit_slots s
      WHERE s.tenant_id = a.tenant_id AND s.name = a.name AND s.key = a.key AND s.state <> 'waiting'
      LIMIT CASE WHEN d.name IS NOT NULL THEN coalesce(d.max_concurrent, 0) END
    ) AS h) AS holders,
    (SELECT max(p.until) FROM orchestrator.limit_pauses p
      WHERE p.tenant_id = a.tenant_id AND p.name = a.name AND (p.all_keys OR p.key = a.key) AND p.until > clock_timestamp()) AS paused_until
  FROM asked a
  LEFT JOIN orchestrator.limits d ON d.tenant_id = a.tenant_id AND d.name = a.name
  LEFT JOIN orchestrator.limit_rates r ON r.tenant_id = a.tenant_id AND r.name = a.name AND r.key = a.key
),
line AS (
  SELECT b.place, b.tenant_id, b.name, b.key, b.holders, b.paused_until, b.tokens, b.refilled_at, w.run_id, w.task_path, w.asked, w.since,
    CASE WHEN b.declared THEN b.max_concurrent ELSE w.max_concurrent END AS max_concurrent,
    CASE WHEN b.declared THEN b.rate_count ELSE w.rate_count END AS rate_count,
    CASE WHEN b.declared THEN b.rate_per_ms ELSE w.rate_per_ms END AS rate_per_ms,
    row_number() OVER (PARTITION BY b.place ORDER BY w.rank, w.since, w.run_id, w.task_path) AS position
  FROM bounds b CROSS JOIN LATERAL (
    ${firstOf("b.declared AND coalesce(b.max_concurrent, b.rate_count) IS NOT NULL")}
    UNION ALL ${firstOf("NOT b.declared", "coalesce(s.max_concurrent, s.rate_count) IS NOT NULL")}
  ) w
),
filled AS (
  SELECT line.*, CASE WHEN rate_count IS NOT NULL
      THEN least(rate_count, coalesce(tokens + ${ELAPSED_MS} * rate_count / rate_per_ms, rate_count)) END AS tokens_now
  FROM line
),
judged AS MATERIALIZED (
  SELECT filled.*, paused_until IS NULL AND bool_and(
      (max_concurrent IS NULL OR holders + position <= max_concurrent)
      AND (rate_count IS NULL OR position <= tokens_now)
    ) OVER (PARTITION BY place ORDER BY position) AS free
  FROM filled
),
locked AS MATERIALIZED (
  SELECT s.run_id, s.task_path FROM orchestrator.limit_slots s
  JOIN judged j ON j.run_id = s.run_id AND j.task_path = s.task_path
  WHERE j.free AND s.state || '' = 'waiting' AND s.asked = j.asked AND s.run_id = ANY(ARRAY(SELECT f.run_id FROM judged f WHERE f.free))
  ORDER BY s.run_id, s.task_path FOR UPDATE OF s SKIP LOCKED
),
granted AS (
  UPDATE orchestrator.limit_slots s SET state = 'granted', granted_at = clock_timestamp()
  FROM locked l
  WHERE l.run_id = s.run_id AND l.task_path = s.task_path AND s.run_id = ANY(ARRAY(SELECT f.run_id FROM locked f))
  RETURNING s.run_id, s.task_path, s.asked, s.shard
),
spent AS (
  SELECT j.place, min(j.tokens_now) AS tokens_now, min(j.rate_count) AS rate_count, min(j.rate_per_ms) AS rate_per_ms, count(*) AS count
  FROM granted g JOIN judged j ON j.run_id = g.run_id AND j.task_path = g.task_path
  WHERE j.rate_count IS NOT NULL GROUP BY j.place
),
rates AS (
  INSERT INTO orchestrator.limit_rates (tenant_id, name, key, tokens, refilled_at, full_at)
  SELECT a.tenant_id, a.name, a.key, s.tokens_now - s.count, clock_timestamp(),
    clock_timestamp() + (s.rate_count - s.tokens_now + s.count) * s.rate_per_ms / s.rate_count * interval '1 millisecond'
  FROM spent s JOIN asked a ON a.place = s.place
  ON CONFLICT (tenant_id, name, key) DO UPDATE SET tokens = excluded.tokens, refilled_at = excluded.refilled_at, full_at = excluded.full_at
)
SELECT j.place::int4 - 1 AS place, g.run_id, g.task_path, g.asked, g.shard,
  greatest(0, ${spanMs("j.since", "clock_timestamp()")}) AS waited_ms, NULL::float8 AS later_ms
FROM granted g JOIN judged j ON j.run_id = g.run_id AND j.task_path = g.task_path
UNION ALL
SELECT j.place::int4 - 1, NULL, NULL, NULL, NULL, NULL, min(CASE
    WHEN j.paused_until IS NOT NULL THEN ${spanMs("clock_timestamp()", "j.paused_until")}
    WHEN j.free THEN 0
    ELSE (j.position - j.tokens_now) * j.rate_per_ms / j.rate_count END)::float8
FROM judged j
WHERE (j.free AND j.position = ${PAGE}) OR (NOT j.free AND (j.paused_until IS NOT NULL OR j.position > j.tokens_now))
GROUP BY j.place`,
);

const SETTLE = prepared(
  "limit_slots.settle",
  "SELECT shard FROM orchestrator.shard_leases WHERE shard = ANY($1::int2[]) ORDER BY shard FOR UPDATE",
);

const LIST_GRANTED = preparedByIndex(
  "limit_slots.list_granted",
  `SELECT run_id, task_path, asked, shard FROM orchestrator.limit_slots
  WHERE shard = ANY($1::int2[]) AND state = 'granted' ORDER BY granted_at LIMIT ${MAX_GRANTED}`,
);

const listLimits = (name: string, column: string) =>
  preparedByIndex(
    `limit_slots.${name}`,
    `SELECT DISTINCT tenant_id, name, key FROM orchestrator.limit_slots s
    WHERE s.${column} = ANY($1::int2[]) AND s.state = 'waiting' AND (s.tenant_id, s.name, s.key) > ($2::text, $3::text, $4::text)
    ORDER BY s.tenant_id, s.name, s.key LIMIT ${MAX_LIMITS}`,
  );

const LIST_WAITING = listLimits("list_waiting", "shard");
const LIST_WAITING_AT = listLimits("list_waiting_at", "home");

const GIVE_BACK = preparedByIndex(
  "limit_slots.give_back",
  `WITH held AS MATERIALIZED (SELECT shard FROM orchestrator.shard_leases WHERE shard = $1 AND epoch = $2 FOR SHARE)
  DELETE FROM orchestrator.limit_slots
  WHERE run_id = $3 AND state = 'granted' AND shard IN (SELECT shard FROM held) RETURNING tenant_id, name, key`,
);

interface GrantRow {
  readonly place: number;
  readonly run_id: string | null;
  readonly task_path: string;
  readonly asked: number;
  readonly shard: number;
  readonly waited_ms: number;
  readonly later_ms: number;
}

interface LimitRow {
  readonly tenant_id: string;
  readonly name: string;
  readonly key: string;
}

const toLimit = ({ tenant_id, name, key }: LimitRow): LimitKey => ({ tenantId: tenant_id, name, key });

/** The slots of a database with this many shards. */
export function createLimitSlotStore({ journal, reads }: Database, shards: number): LimitSlotStore {
  const listPage = async (statement: Statement, of: readonly number[], after: LimitKey | null) => {
    const { tenantId = "", name = "", key = "" } = after ?? {};
    const { rows } = await reads.query<LimitRow>(statement, [of, tenantId, name, key]);
    return { limits: rows.map(toLimit), isLast: rows.length < MAX_LIMITS };
  };
  return {
    grant: async (leases, limits, until) => {
      const { rows } = await journal.query<GrantRow>(GRANT, [
        ...leaseColumns(leases),
        until,
        limits.map(({ tenantId }) => tenantId),
        limits.map(({ name }) => name),
        limits.map(({ key }) => key),
        limits.map(({ tenantId, name, key }) => hashKey([tenantId, name, key]) % shards),
      ]);
      return {
        granted: rows.flatMap(({ place, run_id, task_path, asked, shard, waited_ms }) => {
          const limit = limits[place];
          if (limit === undefined || run_id === null) return [];
          return [{ runId: run_id, path: task_path, asked, shard, limit, waitedMs: waited_ms }];
        }),
        later: rows.flatMap(({ place, run_id, later_ms }) => {
          const limit = limits[place];
          return limit === undefined || run_id !== null ? [] : [{ limit, inMs: Math.max(0, Math.ceil(later_ms)) }];
        }),
      };
    },
    settle: async (leases) => {
      await journal.query(SETTLE, [leases.map(({ shard }) => shard)]);
    },
    listGranted: async (owned) => {
      const { rows } = await reads.query<{ run_id: string; task_path: string; asked: number; shard: number }>(
        LIST_GRANTED,
        [owned],
      );
      return rows.map(
        ({ run_id, task_path, asked, shard }): Grant => ({
          ...{ runId: run_id, path: task_path, asked, shard },
        }),
      );
    },
    listWaiting: (owned, after) => listPage(LIST_WAITING, owned, after),
    listWaitingAt: (homes, after) => listPage(LIST_WAITING_AT, homes, after),
    giveBack: async ({ shard, epoch }, runId) =>
      (await journal.query<LimitRow>(GIVE_BACK, [shard, epoch, runId])).rows.map(toLimit),
  };
}

function leaseColumns(leases: readonly Lease[]) {
  return [leases.map(({ shard }) => shard), leases.map(({ epoch }) => epoch)] as const;
}
