/** What operators say about limits: declarations and pauses. Slots are given out by what is stored when they are. */
import { fail } from "../../base/errors.ts";
import type { LimitChange, LimitStore } from "../../engine/ports/dispatch/limit-control.ts";
import type { Database } from "../sql/pool.ts";
import { prepared, type SqlRunner } from "../sql/sql.ts";
import { createLimitLists, FOREVER_MS } from "./limit-lists.ts";

/** Most declarations of a tenant, and most pauses by calls. */
const MAX_LIMITS = 10_000;

/** Changes of one limit wait for each other: what is read first still holds when it is changed. */
const LOCK = prepared("limits.lock", "SELECT pg_advisory_xact_lock(hashtextextended($1::text || '/' || $2::text, 7))");

const FIND = prepared(
  "limits.find",
  `SELECT max_concurrent, rate_count, rate_per_ms::float8 AS rate_per_ms, actor, reason,
    trunc(extract(epoch FROM updated_at) * 1000000)::text AS etag
  FROM orchestrator.limits WHERE tenant_id = $1 AND name = $2`,
);

// Two calls at once may both be the last one that fits: the bound is one on the length of lists.
const PUT = prepared(
  "limits.put",
  `INSERT INTO orchestrator.limits (tenant_id, name, max_concurrent, rate_count, rate_per_ms, actor, reason)
  SELECT $1, $2, $3::int4, $4::int4, $5::int8, $6, $7
  WHERE $8::bool OR (SELECT count(*) FROM orchestrator.limits WHERE tenant_id = $1) < ${MAX_LIMITS}
  ON CONFLICT (tenant_id, name) DO UPDATE SET max_concurrent = excluded.max_concurrent, rate_count = excluded.rate_count,
    rate_per_ms = excluded.rate_per_ms, actor = excluded.actor, reason = excluded.reason, updated_at = clock_timestamp()`,
);

const DELETE = prepared("limits.delete", "DELETE FROM orchestrator.limits WHERE tenant_id = $1 AND name = $2");

const RELYING = prepared(
  "limits.relying",
  `SELECT u.name, count(*) OVER ()::float8 AS count FROM (
    SELECT 1 AS rank, f.flow_id || ' version ' || f.version AS name FROM orchestrator.flow_limits f
    WHERE f.tenant_id = $1 AND f.name = $2 AND f.relies
    UNION ALL
    SELECT 2, 'service ' || s.name FROM orchestrator.services s WHERE s.tenant_id = $1 AND s.entry ->> 'limit' = $2
  ) u ORDER BY u.rank, u.name LIMIT 1`,
);

const FORGET = prepared(
  "limits.forget_pauses",
  "DELETE FROM orchestrator.limit_pauses WHERE tenant_id = $1 AND until < clock_timestamp()",
);

const PAUSE = prepared(
  "limits.pause",
  `INSERT INTO orchestrator.limit_pauses (tenant_id, name, key, all_keys, until, since, actor, reason)
  SELECT $1, $2, coalesce($3::text, ''), $3::text IS NULL, to_timestamp($4::float8 / 1000), clock_timestamp(), $5, $6
  WHERE (SELECT count(*) FROM orchestrator.limit_pauses WHERE tenant_id = $1 AND run_id = '') < ${MAX_LIMITS}
  ON CONFLICT (tenant_id, name, all_keys, key)
  DO UPDATE SET until = excluded.until, since = excluded.since, actor = excluded.actor, reason = excluded.reason, run_id = ''`,
);

const RESUME = prepared(
  "limits.resume",
  `DELETE FROM orchestrator.limit_pauses WHERE tenant_id = $1 AND name = $2 AND ($3::text IS NULL OR (NOT all_keys AND key = $3))`,
);

interface FoundRow {
  readonly max_concurrent: number | null;
  readonly rate_count: number | null;
  readonly rate_per_ms: number | null;
  readonly actor: string;
  readonly reason: string;
  readonly etag: string;
}

type ChangeOf<T extends LimitChange["type"]> = Extract<LimitChange, { readonly type: T }>;

/** Services of the configuration that name a limit: every tenant calls them. */
export type ConfiguredUses = (limit: string) => readonly string[];

/** The limits of a database. */
export function createLimitStore(database: Database, configuredUses: ConfiguredUses = () => []): LimitStore {
  return {
    ...createLimitLists(database),
    change: (tenantId, name, by, change) =>
      database.journal.transaction(async (runner) => {
        await runner.query(LOCK, [tenantId, name]);
        switch (change.type) {
          case "put":
            return put(runner, [tenantId, name], by, change);
          case "delete":
            return remove(runner, [tenantId, name], change, configuredUses(name));
          case "pause": {
            await runner.query(FORGET, [tenantId]);
            const values = [change.key, change.until ?? FOREVER_MS, by, change.why];
            const { count } = await runner.query(PAUSE, [tenantId, name, ...values]);
            return count > 0 || fail("TOO_MANY_LIMITS", { limit: MAX_LIMITS });
          }
          case "resume":
            return (await runner.query(RESUME, [tenantId, name, change.key])).count > 0;
        }
      }),
  };
}

async function find(runner: SqlRunner, limit: readonly [string, string], etag: string): Promise<FoundRow | undefined> {
  const [found] = (await runner.query<FoundRow>(FIND, limit)).rows;
  if (etag !== "" && etag !== found?.etag) throw fail("LIMIT_CHANGED", { limit: limit[1] });
  return found;
}

async function put(runner: SqlRunner, limit: readonly [string, string], by: string, change: ChangeOf<"put">) {
  const { maxConcurrent, rate, why } = change;
  const [found] = (await runner.query<FoundRow>(FIND, limit)).rows;
  const isSo =
    found?.max_concurrent === maxConcurrent &&
    found.rate_count === (rate?.count ?? null) &&
    found.rate_per_ms === (rate?.perMs ?? null) &&
    found.actor === by &&
    found.reason === why;
  // The same call again, whose etag has changed by the first one.
  if (isSo) return false;
  await find(runner, limit, change.etag);
  const values = [maxConcurrent, rate?.count ?? null, rate?.perMs ?? null, by, why, found !== undefined];
  const { count } = await runner.query(PUT, [...limit, ...values]);
  return count > 0 || fail("TOO_MANY_LIMITS", { limit: MAX_LIMITS });
}

async function remove(
  runner: SqlRunner,
  limit: readonly [string, string],
  { etag, force }: ChangeOf<"delete">,
  configured: readonly string[],
) {
  if ((await find(runner, limit, "")) === undefined) return false;
  await find(runner, limit, etag);
  const relying = await runner.query<{ name: string; count: number }>(RELYING, limit);
  const count = (relying.rows[0]?.count ?? 0) + configured.length;
  const user = relying.rows[0]?.name ?? `service ${configured[0]} of routing.services`;
  if (count > 0 && !force) return fail("LIMIT_IN_USE", { limit: limit[1], count, user });
  return (await runner.query(DELETE, limit)).count > 0;
}
