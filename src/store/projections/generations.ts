import type { GenerationView } from "../../engine/ports/generation/generations.ts";
import { json, safeText, text, time } from "../journal/columns.ts";
import { defineTable } from "../journal/projection-table.ts";

/** The journal of its run is the source of truth for each generation. */
export const generationTable = defineTable<GenerationView>("generations", {
  columns: {
    tenant_id: text(({ tenantId }) => tenantId),
    prompt: text(({ prompt }) => prompt),
    domain: text(({ domain }) => domain),
    complexity: safeText(({ complexity }) => complexity),
    required_services: json(({ requiredServices }) => requiredServices),
    status: safeText(({ status }) => status),
    template_id: text(({ templateId }) => templateId),
    created_at: time(({ createdAt }) => createdAt),
    updated_at: time(({ updatedAt }) => updatedAt),
  },
  write: ({ insert }) => `${insert}
  ON CONFLICT (run_id) DO UPDATE
  SET status = excluded.status, template_id = excluded.template_id, updated_at = excluded.updated_at`,
  close: `UPDATE orchestrator.generations t SET status = 'failed', updated_at = to_timestamp($4::float8 / 1000)
  FROM ended e WHERE t.run_id = e.run_id AND t.status IN ('generating', 'draft')`,
});
