/** Stored triggers, and what became of their events. */
import { fail } from "../../base/errors.ts";
import type { StoredTrigger, TriggerHead, TriggerStore } from "../../engine/ports/bus/triggers.ts";
import type { Database } from "../sql/pool.ts";
import { exactInt8, prepared } from "../sql/sql.ts";
import { createTriggerEventStore } from "./trigger-events.ts";

/** Most triggers of a tenant. */
const MAX_TRIGGERS = 10_000;

/** Channel on which changes are announced. */
const CHANNEL = "orchestrator_triggers";

/** Behind a pooler nothing is announced, and triggers are looked at so often, milliseconds. */
const POLL_EVERY_MS = 1_000;

const REVISION = `${exactInt8("revision")} AS revision`;

const HEAD = `tenant_id, trigger_id, flow_id, ${REVISION}, paused_at, paused_by, pause_reason, created_at, updated_at`;

const LIST_HEADS = prepared("triggers.heads", `SELECT ${HEAD} FROM orchestrator.triggers`);

const FIND = prepared(
  "triggers.find",
  `SELECT ${HEAD}, definition FROM orchestrator.triggers WHERE tenant_id = $1 AND trigger_id = ANY($2::text[])`,
);

const LIST = prepared(
  "triggers.list",
  `SELECT ${HEAD}, definition FROM orchestrator.triggers t
  WHERE tenant_id = $1 AND trigger_id > $3 AND ($2 = '' OR flow_id = $2) ORDER BY t.trigger_id LIMIT $4`,
);

const LOCK = prepared(
  "triggers.lock",
  `SELECT ${REVISION} FROM orchestrator.triggers WHERE tenant_id = $1 AND trigger_id = $2 FOR UPDATE`,
);

// Two calls at once may both be the last one that fits: a few more do no harm.
const INSERT = prepared(
  "triggers.insert",
  `INSERT INTO orchestrator.triggers (tenant_id, trigger_id, flow_id, definition)
  SELECT $1, $2, $3, $4 WHERE (SELECT count(*) FROM orchestrator.triggers WHERE tenant_id = $1) < ${MAX_TRIGGERS}
  ON CONFLICT DO NOTHING RETURNING ${HEAD}, definition`,
);

const UPDATE = prepared(
  "triggers.update",
  `UPDATE orchestrator.triggers t SET flow_id = $3, definition = $4,
    revision = CASE WHEN definition = $4 THEN revision ELSE nextval('orchestrator.trigger_revisions') END,
    updated_at = CASE WHEN definition = $4 THEN updated_at ELSE clock_timestamp() END
  WHERE tenant_id = $1 AND trigger_id = $2 RETURNING ${HEAD}, definition`,
);

const DELETE = prepared(
  "triggers.delete",
  `DELETE FROM orchestrator.triggers WHERE tenant_id = $1 AND trigger_id = $2
  RETURNING round(extract(epoch FROM clock_timestamp()) * 1000)::float8 AS at`,
);

const PAUSE = prepared(
  "triggers.pause",
  `UPDATE orchestrator.triggers t SET paused_at = coalesce(paused_at, clock_timestamp()),
    paused_by = CASE WHEN paused_at IS NULL THEN $3 ELSE paused_by END,
    pause_reason = CASE WHEN paused_at IS NULL THEN $4 ELSE pause_reason END
  WHERE tenant_id = $1 AND trigger_id = $2 RETURNING ${HEAD}, definition`,
);

const RESUME = prepared(
  "triggers.resume",
  `UPDATE orchestrator.triggers SET paused_at = NULL, paused_by = '', pause_reason = ''
  WHERE tenant_id = $1 AND trigger_id = $2 RETURNING ${HEAD}, definition`,
);

const TELL = prepared("triggers.tell", `SELECT pg_notify('${CHANNEL}', '')`);

interface HeadRow {
  readonly tenant_id: string;
  readonly trigger_id: string;
  readonly flow_id: string;
  readonly revision: number;
  readonly paused_at: number | null;
  readonly paused_by: string;
  readonly pause_reason: string;
  readonly created_at: number;
  readonly updated_at: number;
}

interface Row extends HeadRow {
  readonly definition: string;
}

/** The triggers of a database. `alone`: no other instance changes them. */
export function createTriggerStore(database: Database, { alone = false } = {}): TriggerStore {
  const { reads, journal } = database;
  return {
    listHeads: async () => (await reads.query<HeadRow>(LIST_HEADS)).rows.map(toHead),
    find: async (tenantId, triggerIds) => (await reads.query<Row>(FIND, [tenantId, triggerIds])).rows.map(toTrigger),
    list: async (tenantId, flowId, afterId, limit) =>
      (await reads.query<Row>(LIST, [tenantId, flowId, afterId, limit])).rows.map(toTrigger),
    put: ({ tenantId, triggerId, flowId, definition }, revision) =>
      journal.transaction(async (runner) => {
        const values = [tenantId, triggerId, flowId, definition];
        const locked = await runner.query<{ revision: number }>(LOCK, [tenantId, triggerId]);
        checkRevision(triggerId, revision, locked.rows[0]?.revision ?? 0);
        const isKnown = locked.rows[0] !== undefined;
        const { rows } = await runner.query<Row>(isKnown ? UPDATE : INSERT, values);
        const [row] = rows;
        if (row === undefined) {
          // Somebody has put it since the look, or there is no room.
          const again = await runner.query<{ revision: number }>(LOCK, [tenantId, triggerId]);
          return again.rows[0] === undefined
            ? fail("TOO_MANY_TRIGGERS", { limit: MAX_TRIGGERS })
            : fail("STORE_CONFLICT");
        }
        await runner.query(TELL);
        return { trigger: toTrigger(row), created: !isKnown };
      }),
    delete: (tenantId, triggerId, revision) =>
      journal.transaction(async (runner) => {
        const locked = await runner.query<{ revision: number }>(LOCK, [tenantId, triggerId]);
        if (locked.rows[0] === undefined) return null;
        checkRevision(triggerId, revision, locked.rows[0].revision);
        const { rows } = await runner.query<{ at: number }>(DELETE, [tenantId, triggerId]);
        await runner.query(TELL);
        return rows[0]?.at ?? null;
      }),
    pause: (tenantId, triggerId, pause) =>
      journal.transaction(async (runner) => {
        const { rows } =
          pause === null
            ? await runner.query<Row>(RESUME, [tenantId, triggerId])
            : await runner.query<Row>(PAUSE, [tenantId, triggerId, pause.by, pause.why]);
        await runner.query(TELL);
        return rows[0] === undefined ? null : toTrigger(rows[0]);
      }),
    ...createTriggerEventStore(database),
    listen: (listener) => (alone ? async () => {} : database.listen(CHANNEL, listener, { pollMs: POLL_EVERY_MS })),
  };
}

/** `wanted`: null: any. 0: there is none. */
function checkRevision(triggerId: string, wanted: number | null, found: number): void {
  if (wanted === null || wanted === found) return;
  if (found === 0) fail("TRIGGER_CHANGED", { triggerId, problem: "it was deleted" });
  fail("TRIGGER_CHANGED", {
    triggerId,
    problem: wanted === 0 ? "it exists" : `its etag is ${found}`,
  });
}

function toHead(row: HeadRow): TriggerHead {
  return {
    tenantId: row.tenant_id,
    triggerId: row.trigger_id,
    flowId: row.flow_id,
    revision: row.revision,
    pause: row.paused_at === null ? null : { by: row.paused_by, why: row.pause_reason, since: row.paused_at },
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}

function toTrigger(row: Row): StoredTrigger {
  return { ...toHead(row), definition: row.definition };
}
