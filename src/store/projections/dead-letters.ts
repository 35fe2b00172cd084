import type { DeadLetterRow } from "../../engine/runs/projections/dead-letters.ts";
import { number, safeText, text, time } from "../journal/columns.ts";
import { defineTable } from "../journal/projection-table.ts";

/** A dead letter is written once for each generation of its task. */
export const deadLetterTable = defineTable<DeadLetterRow>("dead_letters", {
  columns: {
    task_path: text(({ taskPath }) => taskPath),
    generation: number("int4", ({ generation }) => generation),
    tenant_id: text(({ tenantId }) => tenantId),
    flow_id: text(({ flowId }) => flowId),
    attempts: number("int4", ({ attempts }) => attempts),
    error_type: text(({ errorType }) => errorType),
    error_message: text(({ errorMessage }) => errorMessage),
    input: text(({ input }) => JSON.stringify(input)),
    created_at: time(({ at }) => at),
    reason: safeText(({ reason }) => reason),
  },
  write: ({ insert }) => `${insert}\n  ON CONFLICT DO NOTHING`,
});
