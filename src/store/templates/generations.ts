/** Lists of generations, in PostgreSQL. */
import type { Generations, GenerationView } from "../../engine/ports/generation/generations.ts";
import { newestPages, textsOf } from "../sql/newest-pages.ts";
import type { Database } from "../sql/pool.ts";

const readNewest = newestPages<Row>(
  "generations",
  `g.run_id, g.tenant_id, g.prompt, g.domain, g.complexity, g.required_services, g.status, g.template_id, g.created_at,
    g.updated_at`,
);

interface Row {
  readonly run_id: string;
  readonly tenant_id: string;
  readonly prompt: string;
  readonly domain: string;
  readonly complexity: GenerationView["complexity"];
  readonly required_services: unknown;
  readonly status: GenerationView["status"];
  readonly template_id: string;
  readonly created_at: number;
  readonly updated_at: number;
}

/** Creates the lists. */
export function createGenerations(database: Database): Generations {
  return {
    list: async ({ tenantId }, status, after, limit) => {
      const place = after === null ? null : { createdAt: after.createdAt, runId: after.generationId };
      return (await readNewest(database, tenantId, status, place, limit)).map(toView);
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
    requiredServices: textsOf(row.required_services),
    templateId: row.template_id,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}
