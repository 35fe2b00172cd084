/** Approved drafts, in PostgreSQL. */
import type { KeptTemplate, KeptTemplates } from "../../flows/ports/templates.ts";
import type { Database } from "../sql/pool.ts";
import { prepared } from "../sql/sql.ts";

const COLUMNS = "t.template_id, t.source, t.hash, t.generation_id, t.approved_by, t.approved_at";

const FIND = prepared(
  "templates.find",
  `SELECT ${COLUMNS} FROM orchestrator.templates t WHERE t.tenant_id = $1 AND t.template_id = $2`,
);

const LIST = prepared(
  "templates.list",
  `SELECT ${COLUMNS} FROM orchestrator.templates t WHERE t.tenant_id = $1 AND t.template_id > $2
  ORDER BY t.template_id LIMIT $3`,
);

/** The same generation again changes nothing, and gets its row. */
const KEEP = prepared(
  "templates.keep",
  `INSERT INTO orchestrator.templates AS t (tenant_id, template_id, source, hash, generation_id, approved_by)
  VALUES ($1, $2, $3, $4, $5, $6)
  ON CONFLICT (tenant_id, template_id) DO UPDATE SET hash = t.hash WHERE t.generation_id = excluded.generation_id
  RETURNING t.template_id`,
);

const REMOVE = prepared(
  "templates.remove",
  "DELETE FROM orchestrator.templates WHERE tenant_id = $1 AND template_id = $2",
);

interface Row {
  readonly template_id: string;
  readonly source: string;
  readonly hash: string;
  readonly generation_id: string;
  readonly approved_by: string;
  readonly approved_at: number;
}

/** The approved drafts of a database. */
export function createKeptTemplates({ reads, journal }: Database): KeptTemplates {
  return {
    find: async (tenantId, templateId) => {
      const [row] = (await reads.query<Row>(FIND, [tenantId, templateId])).rows;
      return row === undefined ? null : toTemplate(row);
    },
    list: async (tenantId, afterId, limit) =>
      (await reads.query<Row>(LIST, [tenantId, afterId, limit])).rows.map(toTemplate),
    keep: async (tenantId, { templateId, source, hash, generationId, by }) =>
      (await journal.query(KEEP, [tenantId, templateId, source, hash, generationId, by])).rows.length > 0,
    remove: async (tenantId, templateId) => (await journal.query(REMOVE, [tenantId, templateId])).count > 0,
  };
}

function toTemplate(row: Row): KeptTemplate {
  const approval = { generationId: row.generation_id, by: row.approved_by, at: row.approved_at };
  return { templateId: row.template_id, source: row.source, hash: row.hash, approval };
}
