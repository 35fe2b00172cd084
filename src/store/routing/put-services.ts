/** Services that calls put, in PostgreSQL. */
import { fail } from "../../base/errors.ts";
import type { JsonObject } from "../../base/json/json.ts";
import type { PutService, PutServiceStore } from "../../engine/ports/routing/services.ts";
import type { Database } from "../sql/pool.ts";
import { prepared } from "../sql/sql.ts";

const CHANNEL = "orchestrator_services";

/** Behind a pooler, which forwards no announcements, changes are looked for so often, milliseconds. */
const POLL_EVERY_MS = 1_000;

/** Most services of a tenant: every instance keeps all of them. */
const MAX_SERVICES = 1_000;

const COLUMNS = "tenant_id, name, revision::text AS revision, entry, actor, reason, updated_at";

const LIST = prepared("services.list", `SELECT ${COLUMNS} FROM orchestrator.services s ORDER BY s.tenant_id, s.name`);

/** Changes of one service wait for each other: what is read first still holds when it is changed. */
const LOCK = prepared(
  "services.lock",
  "SELECT pg_advisory_xact_lock(hashtextextended($1::text || '/' || $2::text, 42))",
);

const FIND = prepared(
  "services.find",
  `SELECT ${COLUMNS}, entry = $3::jsonb AS is_same FROM orchestrator.services s WHERE tenant_id = $1 AND name = $2`,
);

// Two calls at once may both be the last one that fits: the bound is one on the length of lists.
const PUT = prepared(
  "services.put",
  `INSERT INTO orchestrator.services AS s (tenant_id, name, entry, actor, reason)
  SELECT $1, $2, $3::jsonb, $4, $5
  WHERE $6::bool OR (SELECT count(*) FROM orchestrator.services WHERE tenant_id = $1) < ${MAX_SERVICES}
  ON CONFLICT (tenant_id, name) DO UPDATE SET entry = excluded.entry, actor = excluded.actor, reason = excluded.reason,
    revision = excluded.revision, updated_at = clock_timestamp()
  RETURNING ${COLUMNS}`,
);

const DELETE = prepared("services.delete", "DELETE FROM orchestrator.services WHERE tenant_id = $1 AND name = $2");

const TELL = prepared("services.tell", `SELECT pg_notify('${CHANNEL}', '')`);

interface Row {
  readonly tenant_id: string;
  readonly name: string;
  readonly revision: string;
  readonly entry: JsonObject;
  readonly actor: string;
  readonly reason: string;
  readonly updated_at: number;
}

/** The services of a database. `alone`: no other instance changes them. */
export function createPutServiceStore({ reads, journal, listen }: Database, { alone = false } = {}): PutServiceStore {
  return {
    list: async () => (await reads.query<Row>(LIST)).rows.map(toService),
    put: ({ tenantId, name, entry, by, why }, revision) =>
      journal.transaction(async (runner) => {
        await runner.query(LOCK, [tenantId, name]);
        const values = [tenantId, name, JSON.stringify(entry)];
        const [found] = (await runner.query<Row & { readonly is_same: boolean }>(FIND, values)).rows;
        // The same call again, whose etag has changed by the first one.
        if (found?.is_same === true && found.actor === by && found.reason === why)
          return { service: toService(found), created: false };
        checkRevision(name, revision, found?.revision);
        const [row] = (await runner.query<Row>(PUT, [...values, by, why, found !== undefined])).rows;
        if (row === undefined) return fail("TOO_MANY_SERVICES", { limit: MAX_SERVICES });
        await runner.query(TELL);
        return { service: toService(row), created: found === undefined };
      }),
    delete: (tenantId, name, revision) =>
      journal.transaction(async (runner) => {
        await runner.query(LOCK, [tenantId, name]);
        const [found] = (await runner.query<Row>(FIND, [tenantId, name, null])).rows;
        if (found === undefined) return false;
        checkRevision(name, revision, found.revision);
        await runner.query(DELETE, [tenantId, name]);
        await runner.query(TELL);
        return true;
      }),
    listen: (listener) => (alone ? async () => {} : listen(CHANNEL, listener, { pollMs: POLL_EVERY_MS })),
  };
}

function checkRevision(service: string, wanted: string | null, found = ""): void {
  if (wanted === null || wanted === found) return;
  const problem = found === "" ? "it is not there" : wanted === "" ? "it exists" : `its etag is ${found}`;
  fail("SERVICE_CHANGED", { service, problem });
}

function toService({ tenant_id, name, revision, entry, actor, reason, updated_at }: Row): PutService {
  return { tenantId: tenant_id, name, entry, revision, by: actor, why: reason, updatedAt: updated_at };
}
