/**
 * Lists and counts of limits. Names and keys are found by jumping from one to the next in an index, so a page costs the
 * same whatever the number of tasks; counts read the entries of what is counted.
 */
import type {
  LimitCounts,
  LimitKeyView,
  LimitPause,
  LimitSlotView,
  LimitStore,
  LimitTotals,
  LimitUse,
  LimitView,
} from "../../engine/ports/dispatch/limit-control.ts";
import type { Database } from "../sql/pool.ts";
import { prepared, preparedByIndex, type Statement, spanMs } from "../sql/sql.ts";

/** A pause without an end lasts until then, milliseconds since the epoch: the year 9999. */
export const FOREVER_MS = 253_402_214_400_000;

const WAITING = "state = 'waiting'";
const HELD = "state <> 'waiting'";

/** Distinct values of a column of the slots in a state, after a value. */
const jump = (name: string, column: string, given: string, state: string, after: string): string => `${name} AS (
    (SELECT s.${column} FROM orchestrator.limit_slots s WHERE ${given} AND s.${state} AND ${after} ORDER BY s.${column} LIMIT 1)
    UNION ALL SELECT (
      SELECT s.${column} FROM orchestrator.limit_slots s WHERE ${given} AND s.${state} AND s.${column} > j.${column}
      ORDER BY s.${column} LIMIT 1
    ) FROM ${name} j WHERE j.${column} IS NOT NULL
  )`;

const NAMES = preparedByIndex(
  "limits.names",
  `WITH RECURSIVE ${jump("waiting", "name", "s.tenant_id = $1", WAITING, "s.name > $2")},
  ${jump("held", "name", "s.tenant_id = $1", HELD, "s.name > $2")}
  SELECT n.name FROM (
    (SELECT l.name FROM orchestrator.limits l WHERE l.tenant_id = $1 AND l.name > $2 ORDER BY l.name LIMIT $3)
    UNION (SELECT DISTINCT f.name FROM orchestrator.flow_limits f WHERE f.tenant_id = $1 AND f.name > $2 ORDER BY f.name LIMIT $3)
    UNION (SELECT DISTINCT p.name FROM orchestrator.limit_pauses p WHERE p.tenant_id = $1 AND p.name > $2 AND p.until > clock_timestamp()
      ORDER BY p.name LIMIT $3)
    UNION (SELECT w.name FROM waiting w WHERE w.name IS NOT NULL LIMIT $3)
    UNION (SELECT h.name FROM held h WHERE h.name IS NOT NULL LIMIT $3)
  ) AS n ORDER BY n.name LIMIT $3`,
);

const AFTER_KEY = "($3::text IS NULL OR s.key > $3)";
const OF_NAME = "s.tenant_id = $1 AND s.name = $2";

const KEYS = preparedByIndex(
  "limits.keys",
  `WITH RECURSIVE ${jump("waiting", "key", OF_NAME, WAITING, AFTER_KEY)},
  ${jump("held", "key", OF_NAME, HELD, AFTER_KEY)}
  SELECT k.key FROM (
    (SELECT DISTINCT p.key FROM orchestrator.limit_pauses p WHERE p.tenant_id = $1 AND p.name = $2 AND NOT p.all_keys
      AND ($3::text IS NULL OR p.key > $3) AND p.until > clock_timestamp() ORDER BY p.key LIMIT $4)
    UNION (SELECT w.key FROM waiting w WHERE w.key IS NOT NULL LIMIT $4)
    UNION (SELECT h.key FROM held h WHERE h.key IS NOT NULL LIMIT $4)
  ) AS k ORDER BY k.key LIMIT $4`,
);

const WAITING_KEYS = preparedByIndex(
  "limits.waiting_keys",
  `WITH RECURSIVE ${jump("waiting", "key", OF_NAME, WAITING, AFTER_KEY)}
  SELECT w.key FROM waiting w WHERE w.key IS NOT NULL LIMIT $4`,
);

const BUSIEST = preparedByIndex(
  "limits.busiest",
  `SELECT s.key FROM orchestrator.limit_slots s WHERE ${OF_NAME} AND s.${WAITING} GROUP BY s.key ORDER BY count(*) DESC, s.key LIMIT $3`,
);

const milliseconds = (time: string): string => `round(extract(epoch FROM ${time}) * 1000)::float8`;

/** Counts of slots that meet a condition on `s`. */
const counts = (given: string): string => `CROSS JOIN LATERAL (
    SELECT count(*)::float8 AS waiting, ${milliseconds("min(s.since)")} AS oldest_at
    FROM orchestrator.limit_slots s WHERE ${given} AND s.${WAITING}
  ) AS w
  CROSS JOIN LATERAL (SELECT count(*)::float8 AS held FROM orchestrator.limit_slots s WHERE ${given} AND s.${HELD}) AS h`;

/** The pause that meets a condition on `p`. */
const pause = (given: string): string => `LEFT JOIN LATERAL (
    SELECT p.actor, p.reason, p.run_id, ${milliseconds("p.since")} AS since_ms, ${milliseconds("p.until")} AS until_ms
    FROM orchestrator.limit_pauses p WHERE ${given} AND p.until > clock_timestamp()
  ) AS p ON true`;

const PAUSE_COLUMNS = "p.actor AS pause_actor, p.reason AS pause_reason, p.run_id AS pause_run, p.since_ms, p.until_ms";

const VIEW = preparedByIndex(
  "limits.view",
  `SELECT n.name, w.waiting, w.oldest_at, h.held, ${PAUSE_COLUMNS}, d.name IS NOT NULL AS declared, d.max_concurrent, d.rate_count,
    d.rate_per_ms::float8 AS rate_per_ms, d.actor, d.reason, ${milliseconds("d.updated_at")} AS updated_ms,
    trunc(extract(epoch FROM d.updated_at) * 1000000)::text AS etag, k.paused_keys
  FROM unnest($2::text[]) WITH ORDINALITY AS n (name, place)
  LEFT JOIN orchestrator.limits d ON d.tenant_id = $1 AND d.name = n.name
  ${counts("s.tenant_id = $1 AND s.name = n.name")}
  ${pause("p.tenant_id = $1 AND p.name = n.name AND p.all_keys")}
  CROSS JOIN LATERAL (
    SELECT count(DISTINCT q.key)::float8 AS paused_keys FROM orchestrator.limit_pauses q
    WHERE q.tenant_id = $1 AND q.name = n.name AND NOT q.all_keys AND q.until > clock_timestamp()
  ) AS k
  ORDER BY n.place`,
);

const VIEW_KEYS = preparedByIndex(
  "limits.view_keys",
  `SELECT n.key, w.waiting, w.oldest_at, h.held, ${PAUSE_COLUMNS}
  FROM unnest($3::text[]) WITH ORDINALITY AS n (key, place)
  ${counts(`${OF_NAME} AND s.key = n.key`)}
  ${pause("p.tenant_id = $1 AND p.name = $2 AND NOT p.all_keys AND p.key = n.key")}
  ORDER BY n.place`,
);

const USES = prepared(
  "limits.uses",
  `SELECT f.flow_id AS "flowId", f.version, f.relies FROM orchestrator.flow_limits f WHERE f.tenant_id = $1 AND f.name = $2
  ORDER BY f.flow_id, f.version LIMIT $3`,
);

const slots = (name: string, state: string): Statement =>
  preparedByIndex(
    `limits.slots_${name}`,
    `SELECT s.key, s.rank, ${milliseconds("s.since")} AS ready_at, s.run_id, s.task_path, s.state,
    ${milliseconds(state === WAITING ? "s.since" : "coalesce(s.granted_at, s.since)")} AS since_ms
  FROM orchestrator.limit_slots s
  WHERE ${OF_NAME} AND s.${state} AND ($3::text IS NULL OR s.key = $3)
    AND ($4::text IS NULL OR (s.key, s.rank, s.since, s.run_id, s.task_path) > ($4, $5::int2, to_timestamp($6::float8 / 1000), $7::text, $8::text))
  ORDER BY s.key, s.rank, s.since, s.run_id, s.task_path LIMIT $9`,
  );

const SLOTS = {
  waiting: slots("waiting", WAITING),
  held: slots("held", HELD),
  granted: slots("granted", `${HELD} AND s.state = 'granted'`),
  taken: slots("taken", `${HELD} AND s.state = 'taken'`),
};

const TOTALS = prepared(
  "limits.totals",
  `SELECT t.name, sum(t.waiting)::float8 AS waiting, sum(t.held)::float8 AS held, coalesce(max(t.age_ms), 0)::float8 AS "ageMs",
    EXISTS (SELECT 1 FROM orchestrator.limit_pauses p WHERE p.name = t.name AND p.all_keys AND p.until > statement_timestamp()) AS paused
  FROM (
    SELECT s.name, count(*) AS waiting, 0 AS held, ${spanMs("min(s.since)", "statement_timestamp()")} AS age_ms
    FROM orchestrator.limit_slots s WHERE s.${WAITING} GROUP BY s.name
    UNION ALL SELECT s.name, 0, count(*), NULL FROM orchestrator.limit_slots s WHERE s.${HELD} GROUP BY s.name
    UNION ALL SELECT p.name, 0, 0, NULL FROM orchestrator.limit_pauses p WHERE p.all_keys AND p.until > statement_timestamp()
  ) AS t
  GROUP BY t.name ORDER BY sum(t.waiting + t.held) DESC, t.name LIMIT 200`,
);

interface CountsRow extends Pick<LimitCounts, "waiting" | "held"> {
  readonly oldest_at: number | null;
  readonly pause_actor: string;
  readonly pause_reason: string;
  readonly pause_run: string;
  readonly since_ms: number | null;
  readonly until_ms: number;
}

interface LimitRow extends CountsRow {
  readonly name: string;
  readonly declared: boolean;
  readonly max_concurrent: number | null;
  readonly rate_count: number | null;
  readonly rate_per_ms: number;
  readonly actor: string;
  readonly reason: string;
  readonly updated_ms: number;
  readonly etag: string;
  readonly paused_keys: number;
}

interface SlotRow {
  readonly key: string;
  readonly rank: number;
  readonly ready_at: number;
  readonly run_id: string;
  readonly task_path: string;
  readonly state: LimitSlotView["state"];
  readonly since_ms: number;
}

const toCounts = ({ waiting, held, oldest_at }: CountsRow): LimitCounts => ({ waiting, held, oldestAt: oldest_at });

function toPause({ pause_actor, pause_reason, pause_run, since_ms, until_ms }: CountsRow): LimitPause | null {
  if (since_ms === null) return null;
  return {
    ...{ by: pause_actor, why: pause_reason, since: since_ms, runId: pause_run },
    until: until_ms >= FOREVER_MS ? null : until_ms,
  };
}

function toView(tenantId: string, row: LimitRow): LimitView {
  const { name, declared, max_concurrent, rate_count, rate_per_ms, actor, reason, updated_ms, etag, paused_keys } = row;
  return {
    ...{ tenantId, name, ...toCounts(row), pause: toPause(row), pausedKeys: paused_keys },
    declaration: declared
      ? {
          maxConcurrent: max_concurrent,
          rate: rate_count === null ? null : { count: rate_count, perMs: rate_per_ms },
          ...{ etag, by: actor, why: reason, at: updated_ms },
        }
      : null,
  };
}

/** The lists of a database. */
export function createLimitLists({ reads }: Database): Omit<LimitStore, "change"> {
  const viewKeys = async (tenantId: string, name: string, keys: readonly { readonly key: string }[]) => {
    if (keys.length === 0) return [];
    const values = [tenantId, name, keys.map(({ key }) => key)];
    const { rows } = await reads.query<CountsRow & { readonly key: string }>(VIEW_KEYS, values);
    return rows.map((row): LimitKeyView => ({ key: row.key, ...toCounts(row), pause: toPause(row) }));
  };
  return {
    view: async (tenantId, names) =>
      (await reads.query<LimitRow>(VIEW, [tenantId, names])).rows.map((row) => toView(tenantId, row)),
    listNames: async (tenantId, after, limit) => {
      const { rows } = await reads.query<{ name: string }>(NAMES, [tenantId, after, limit]);
      return rows.map(({ name }) => name);
    },
    listKeys: async (tenantId, name, after, limit) => {
      const { rows } = await reads.query<{ key: string }>(KEYS, [tenantId, name, after, limit]);
      return viewKeys(tenantId, name, rows);
    },
    listBusiest: async (tenantId, name, limit) => {
      const { rows } = await reads.query<{ key: string }>(BUSIEST, [tenantId, name, limit]);
      return viewKeys(tenantId, name, rows);
    },
    listUses: async (tenantId, name, limit) => (await reads.query<LimitUse>(USES, [tenantId, name, limit])).rows,
    listSlots: async (tenantId, { name, key, state }, after, limit) => {
      const place =
        after === null
          ? [null, null, null, null, null]
          : [after.key, -after.priority, after.readyAt, after.runId, after.path];
      const { rows } = await reads.query<SlotRow>(SLOTS[state], [tenantId, name, key, ...place, limit]);
      return rows.map((row): LimitSlotView => {
        const { rank, ready_at, run_id, task_path, since_ms } = row;
        return {
          ...{ key: row.key, state: row.state, priority: 0 - rank, readyAt: ready_at },
          ...{ runId: run_id, path: task_path, since: since_ms },
        };
      });
    },
    listWaitingKeys: async ({ tenantId, name }, after, count) => {
      const { rows } = await reads.query<{ key: string }>(WAITING_KEYS, [tenantId, name, after, count]);
      return rows.map(({ key }) => key);
    },
    listTotals: async () => (await reads.query<LimitTotals>(TOTALS)).rows,
  };
}
