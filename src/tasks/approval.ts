import { z } from "zod";
import { defineTaskType } from "./define.ts";
import { jsonSchema } from "./schema/json-schema.ts";
import { anyJson, keyed } from "./schema/schemas.ts";

/** `approval`: waits for the decision of a person. */
export const approval = defineTaskType({
  type: "approval",
  effect: "wait",
  summary: "Waits until a person approves or rejects.",
  documentation:
    'Approved: completed with `{"approved": true, "decision": "approved", "by": …, "comment": …, "data": …}`. Rejected: failed with `APPROVAL_REJECTED`; not decided within `timeout`: failed with `APPROVAL_TIMEOUT`. Neither is retried, and neither is a dead letter. With `on_reject: continue`, both complete with `approved: false` and the `decision` `rejected` or `expired`. An approval must carry data that matches `form`. A rejection may omit data; any data it carries must match, too.',
  parameters: keyed({
    title: z.string().max(512).optional().meta({ description: "The question, one line." }),
    description: z.string().max(65_536).optional().meta({ description: "What the person should know; Markdown." }),
    assignees: z.array(z.string().min(1).max(256)).max(100).optional().meta({ description: "Users or groups to ask." }),
    form: jsonSchema.optional().meta({ description: "JSON Schema of the data that comes with the decision." }),
  }),
  result: keyed({
    approved: z.boolean(),
    decision: z.enum(["approved", "rejected", "expired"]),
    by: z.string().nullable().optional(),
    comment: z.string().nullable().optional(),
    data: anyJson.optional(),
  }),
  example: `id: ask_finance
type: approval
parameters:
  title: "Pay invoice \${vars.invoice_id}?"
  assignees: [finance]
  form:
    type: object
    properties:
      reason: {type: string}
timeout: 24h
`,
});
