/**
 * Flow versions in PostgreSQL. The latest version of a flow is the one that was registered last, except for versions
 * `inline-…`, which came with a message and run for that message only. Flows that the service itself brings are in no
 * list.
 */
import { fail, invariant } from "../base/errors.ts";
import { isJsonObject, type JsonObject } from "../base/json/json.ts";
import { isValidTime } from "../base/time/time-range.ts";
import type { FlowStore, Structure } from "../flows/ports/flow-store.ts";
import type { FlowVersion } from "../flows/ports/registry.ts";
import type { Database } from "./sql/pool.ts";
import { prepared } from "./sql/sql.ts";

const COLUMNS = `f.tenant_id, f.flow_id, f.version, f.hash, f.kind, f.name, f.description, coalesce(f.document_json, f.document::json) AS document, f.structure, f.source, f.created_at,
  f.position = (SELECT max(l.position) FROM orchestrator.flow_versions l WHERE l.tenant_id = f.tenant_id AND l.flow_id = f.flow_id
    AND l.version NOT LIKE 'inline-%') IS TRUE AS latest`;

const INSERT = prepared(
  "flows.insert",
  `WITH made AS (
    INSERT INTO orchestrator.flow_versions AS f (tenant_id, flow_id, version, hash, kind, name, description, document, document_json, structure, source)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8::text::jsonb, $8::text::json, $9, $10) ON CONFLICT DO NOTHING RETURNING f.created_at
  ),
  limits AS (
    INSERT INTO orchestrator.flow_limits (tenant_id, flow_id, version, name, relies)
    SELECT $1, $2, $3, n.name, n.relies FROM made CROSS JOIN unnest($11::text[], $12::bool[]) AS n (name, relies)
  )
  SELECT created_at FROM made`,
);
const DECLARED = prepared(
  "flows.declared_limits",
  "SELECT l.name FROM orchestrator.limits l WHERE l.tenant_id = $1 AND l.name = ANY($2::text[])",
);
const FIND = prepared(
  "flows.find",
  `SELECT ${COLUMNS} FROM orchestrator.flow_versions f WHERE f.tenant_id = $1 AND f.flow_id = $2 AND f.version = $3`,
);
const FIND_LATEST = prepared(
  "flows.find_latest",
  `SELECT ${COLUMNS} FROM orchestrator.flow_versions f WHERE f.tenant_id = $1 AND f.flow_id = $2
    AND f.version NOT LIKE 'inline-%' ORDER BY f.position DESC LIMIT 1`,
);
const FIND_HASH = prepared(
  "flows.find_hash",
  `SELECT ${COLUMNS} FROM orchestrator.flow_versions f WHERE f.tenant_id = $1 AND f.flow_id = $2 AND f.hash = $3 LIMIT 1`,
);
const LIST = prepared(
  "flows.list",
  `SELECT DISTINCT ON (f.flow_id) ${COLUMNS} FROM orchestrator.flow_versions f
  WHERE f.tenant_id = $1 AND f.flow_id > $2 AND NOT (f.flow_id LIKE 'orchestrator-%' AND f.version LIKE 'builtin-%')
  ORDER BY f.flow_id, f.version LIKE 'inline-%', f.position DESC LIMIT $3`,
);
const LIST_VERSIONS = prepared(
  "flows.list_versions",
  `SELECT ${COLUMNS} FROM orchestrator.flow_versions f
  WHERE f.tenant_id = $1 AND f.flow_id = $2
    AND ($3::text IS NULL OR f.position < (SELECT b.position FROM orchestrator.flow_versions b WHERE b.tenant_id = $1 AND b.flow_id = $2 AND b.version = $3))
  ORDER BY f.position DESC LIMIT $4`,
);
const DELETE = prepared(
  "flows.delete",
  "SELECT outcome, deleted_at, run_count FROM orchestrator.delete_flow_version($1, $2, $3, $4)",
);
const FIND_USER = prepared(
  "flows.find_user",
  "SELECT run_id FROM orchestrator.runs WHERE tenant_id = $1 AND flow_id = $2 AND version = $3 LIMIT 1",
);

interface Row {
  readonly tenant_id: string;
  readonly flow_id: string;
  readonly version: string;
  readonly hash: string;
  readonly kind: string;
  readonly name: string;
  readonly description: string;
  readonly document: JsonObject;
  readonly structure: Structure;
  readonly source: string;
  readonly created_at: number;
  readonly latest: boolean;
}

interface DeletionRow {
  readonly outcome: "deleted" | "missing" | "used" | "reused";
  readonly deleted_at: number | null;
  readonly run_count: number;
}

export function createFlowStore(database: Database): FlowStore {
  const first = async (statement: typeof FIND, values: readonly string[]): Promise<FlowVersion | null> => {
    const { rows } = await database.reads.query<Row>(statement, values);
    if (rows[0] === undefined) return null;
    const flow = toFlowVersion(rows[0]);
    const { flowId, version, damage } = flow;
    return damage === undefined ? flow : fail("FLOW_UNREADABLE", { flowId, version, why: damage });
  };
  return {
    listDeclared: async (tenantId, names) => {
      const { rows } = await database.reads.query<{ name: string }>(DECLARED, [tenantId, names]);
      return rows.map(({ name }) => name);
    },
    insert: async (flow, limits) => {
      const { tenantId, flowId, version, hash, kind, name, description, document, structure, source } = flow;
      const values = [
        tenantId,
        flowId,
        version,
        hash,
        kind,
        name,
        description,
        JSON.stringify(document),
        JSON.stringify(structure),
        source,
        limits.map(({ name }) => name),
        limits.map(({ relies }) => relies),
      ];
      const { rows } = await database.journal.query<{ created_at: number }>(INSERT, values);
      return rows[0] === undefined
        ? null
        : { ...flow, createdAt: rows[0].created_at, latest: !version.startsWith("inline-") };
    },
    find: (tenantId, flowId, version) =>
      version === "" ? first(FIND_LATEST, [tenantId, flowId]) : first(FIND, [tenantId, flowId, version]),
    findByHash: (tenantId, flowId, hash) => first(FIND_HASH, [tenantId, flowId, hash]),
    deleteVersion: async (tenantId, flowId, version, requestId) => {
      const { rows } = await database.journal.query<DeletionRow>(DELETE, [tenantId, flowId, version, requestId]);
      const [row] = rows;
      invariant(row, "a deletion answers with one row");
      if (row.outcome === "deleted") return { outcome: "deleted", deletedAt: row.deleted_at ?? 0 };
      if (row.outcome !== "used") return { outcome: row.outcome };
      const users = await database.reads.query<{ run_id: string }>(FIND_USER, [tenantId, flowId, version]);
      return { outcome: "used", count: row.run_count, runId: users.rows[0]?.run_id ?? "" };
    },
    listFlows: async (tenantId, afterFlowId, limit, signal) => {
      const { rows } = await database.reads.query<Row>(LIST, [tenantId, afterFlowId, limit], signal);
      return rows.map(toFlowVersion);
    },
    listVersions: async (tenantId, flowId, before, limit, signal) => {
      const { rows } = await database.reads.query<Row>(
        LIST_VERSIONS,
        [tenantId, flowId, before?.version ?? null, limit],
        signal,
      );
      return rows.map(toFlowVersion);
    },
  };
}

const KINDS: Readonly<Record<FlowVersion["kind"], true>> = { dag: true, fsm: true, graph: true };

/** Never rejects a row. `damage` describes what is wrong with it; the rest is safe to show. */
function toFlowVersion(row: Row): FlowVersion {
  const damage = damageOf(row);
  return {
    tenantId: row.tenant_id,
    flowId: row.flow_id,
    version: row.version,
    hash: row.hash,
    kind: Object.hasOwn(KINDS, row.kind) ? (row.kind as FlowVersion["kind"]) : "dag",
    name: row.name,
    description: row.description,
    document: isJsonObject(row.document) ? row.document : {},
    structure: row.structure,
    source: row.source,
    createdAt: row.created_at,
    latest: row.latest,
    ...(damage === null ? {} : { damage }),
  };
}

function damageOf(row: Row): string | null {
  if (!Object.hasOwn(KINDS, row.kind)) return `kind is ${JSON.stringify(row.kind.slice(0, 40))}`;
  if (!isJsonObject(row.document)) return "document is no object";
  if (!isJsonObject(row.structure)) return "structure is no object";
  return isValidTime(row.created_at) ? null : "created_at is no time between the years 1 and 9999";
}
