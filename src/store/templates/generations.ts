/** Lists of generations, in PostgreSQL. */
import type { Generations, GenerationView } from "../../engine/ports/generation/generations.ts";
import type { Database } from "../sql/pool.ts";
import { prepared } from "../sql/sql.ts";

/** A page of all generations, or of those with a status: each has its index. */
const list = (name: string, condition: string) =>
  prepared(
    `generations.${name}`,
    `SELECT g.run_id, g.tenant_id, g.prompt, g.domain, g.complexity, g.required_services, g.status, g.template_id,
      g.created_at, g.updated_at
    FROM orchestrator.generations g
    WHERE g.tenant_id = $1 AND ${condition}
      AND ($3::float8 IS NULL OR (g.created_at, g.run_id) < (to_timestamp($3 / 1000), $4::text))
    ORDER BY g.created_at DESC, g.run_id DESC LIMIT $5`,
  );

const LIST = list("list", "$2::text IS NULL");
const LIST_BY_STATUS = list("list_by_status", "g.status = $2");

interface Row {
  readonly run_id: string;
  readonly tenant_id: string;
  readonly prompt: string;
  readonly domain: string;
  readonly complexity: GenerationView["complexity"];
  readonly required_services: readonly string[];
  readonly status: GenerationView["status"];
  readonly template_id: string;
  readonly created_at: number;
  readonly updated_at: number;
}

/** Creates the lists. */
export function createGenerations(database: Database): Generations {
  return {
    list: async ({ tenantId }, status, after, limit) => {
      const values = [tenantId, status, after?.createdAt ?? null, after?.generationId ?? "", limit];
      const { rows } = await database.reads.query<Row>(status === null ? LIST : LIST_BY_STATUS, values);
      return rows.map(toView);
    },
  };
}

function toView(row: Row): GenerationView {
  return {
    generationId: row.run_id,
    tenantId: row.tenant_id,
    status: row.status,
    prompt: row.prompt,
    domain: row.domain,
    complexity: row.complexity,
    requiredServices: row.required_services,
    templateId: row.template_id,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}
