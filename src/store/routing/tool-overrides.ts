/** Overrides of breakers and bulkheads, in PostgreSQL. */
import { fail } from "../../base/errors.ts";
import type {
  BreakerReset,
  ForcedBreaker,
  OverrideTarget,
  ToolOverride,
  ToolOverrideStore,
} from "../../engine/ports/routing/tool-overrides.ts";
import type { Database } from "../sql/pool.ts";
import { prepared } from "../sql/sql.ts";

const CHANNEL = "orchestrator_tool_overrides";

/** Behind a pooler, which forwards no announcements, changes are looked for so often, milliseconds. */
const POLL_EVERY_MS = 1_000;

/** Most overrides of a tenant: every instance keeps all of them. */
const MAX_OVERRIDES = 1_000;

const COLUMNS = `tenant_id, service, origin, flow_id, task, model, breaker, max_concurrent, max_queued, until, since, actor, reason`;
const TARGET = `tenant_id = $1 AND service = $2 AND origin = $3 AND flow_id = $4 AND task = $5 AND model = $6`;

const LIST = prepared(
  "tool_overrides.list",
  `SELECT ${COLUMNS} FROM orchestrator.tool_overrides o WHERE o.until IS NULL OR o.until > clock_timestamp()
  ORDER BY o.tenant_id, o.service, o.origin, o.flow_id, o.task, o.model`,
);

const FORGET = prepared(
  "tool_overrides.forget",
  "DELETE FROM orchestrator.tool_overrides WHERE tenant_id = $1 AND until < clock_timestamp()",
);

// Two calls at once may both be the last one that fits: the bound is one on the length of lists.
const PUT = prepared(
  "tool_overrides.put",
  `INSERT INTO orchestrator.tool_overrides (${COLUMNS})
  SELECT $1, $2, $3, $4, $5, $6, $7, $8::int4, $9::int4, to_timestamp($10::float8 / 1000), clock_timestamp(), $11, $12
  WHERE (SELECT count(*) FROM orchestrator.tool_overrides WHERE tenant_id = $1 AND NOT (${TARGET})) < ${MAX_OVERRIDES}
  ON CONFLICT (tenant_id, service, origin, flow_id, task, model)
  DO UPDATE SET breaker = excluded.breaker, max_concurrent = excluded.max_concurrent, max_queued = excluded.max_queued,
    until = excluded.until, since = excluded.since, actor = excluded.actor, reason = excluded.reason
  RETURNING ${COLUMNS}`,
);

const LIFT = prepared("tool_overrides.lift", `DELETE FROM orchestrator.tool_overrides WHERE ${TARGET}`);

const LIST_RESETS = prepared(
  "breaker_resets.list",
  `SELECT reset_id::text AS id, tenant_id, service, origin, flow_id, task FROM orchestrator.breaker_resets
  WHERE at > clock_timestamp() - interval '10 minutes'`,
);

const RESET = prepared(
  "breaker_resets.add",
  `WITH old AS (DELETE FROM orchestrator.breaker_resets WHERE at < clock_timestamp() - interval '1 hour')
  INSERT INTO orchestrator.breaker_resets (tenant_id, service, origin, flow_id, task) VALUES ($1, $2, $3, $4, $5)`,
);

const TELL = prepared("tool_overrides.tell", `SELECT pg_notify('${CHANNEL}', '')`);

interface TargetRow {
  readonly tenant_id: string;
  readonly service: string;
  readonly origin: string;
  readonly flow_id: string;
  readonly task: string;
}

interface Row extends TargetRow {
  readonly model: string;
  readonly breaker: ForcedBreaker | null;
  readonly max_concurrent: number | null;
  readonly max_queued: number | null;
  readonly until: number | null;
  readonly since: number;
  readonly actor: string;
  readonly reason: string;
}

/** The overrides of a database. `alone`: no other instance changes them. */
export function createToolOverrideStore(database: Database, { alone = false } = {}): ToolOverrideStore {
  const { reads, journal } = database;
  return {
    list: async () => (await reads.query<Row>(LIST)).rows.map(toOverride),
    put: (tenantId, target, { breaker, maxConcurrent, maxQueued, until }, by, why) =>
      journal.transaction(async (runner) => {
        await runner.query(FORGET, [tenantId]);
        const values = [...valuesOf(tenantId, target), target.model, breaker, maxConcurrent, maxQueued, until, by, why];
        const [row] = (await runner.query<Row>(PUT, values)).rows;
        if (row === undefined) return fail("TOO_MANY_OVERRIDES", { limit: MAX_OVERRIDES });
        await runner.query(TELL);
        return toOverride(row);
      }),
    lift: (tenantId, target) =>
      journal.transaction(async (runner) => {
        const { count } = await runner.query(LIFT, [...valuesOf(tenantId, target), target.model]);
        if (count > 0) await runner.query(TELL);
        return count > 0;
      }),
    listResets: async () =>
      (await reads.query<TargetRow & { readonly id: string }>(LIST_RESETS)).rows.map(
        (row): BreakerReset => ({ id: row.id, ...toTarget(row) }),
      ),
    reset: (tenantId, target) =>
      journal.transaction(async (runner) => {
        await runner.query(RESET, valuesOf(tenantId, target));
        await runner.query(TELL);
      }),
    listen: (listener) => (alone ? async () => {} : database.listen(CHANNEL, listener, { pollMs: POLL_EVERY_MS })),
  };
}

function valuesOf(tenantId: string, target: Omit<OverrideTarget, "model">): readonly string[] {
  const { service, origin, flowId, task } = target;
  return [tenantId, service, origin, flowId, task];
}

function toTarget({ tenant_id, service, origin, flow_id, task }: TargetRow) {
  return { tenantId: tenant_id, service, origin, flowId: flow_id, task };
}

function toOverride(row: Row): ToolOverride {
  const { breaker, max_concurrent, max_queued, until, since, actor, reason } = row;
  return {
    ...toTarget(row),
    ...{
      model: row.model,
      breaker,
      maxConcurrent: max_concurrent,
      maxQueued: max_queued,
      until,
      since,
      by: actor,
      why: reason,
    },
  };
}
