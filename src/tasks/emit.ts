import { z } from "zod";
import { defineTaskType } from "./define.ts";
import { anyJson, keyed, textMap } from "./schema/schemas.ts";

/** `emit`: writes an event to the outbox. */
export const emit = defineTaskType({
  type: "emit",
  effect: "effectful",
  leaving: {
    carrier: "topics",
    isDoneThen: true,
    toWork: ({ topic, key, payload, headers }) => ({
      destination: typeof topic === "string" ? topic : "",
      input: { payload: payload ?? null, headers: headers ?? {} },
      orderKey: typeof key === "string" ? key : "",
    }),
  },
  // The transition that ends the task writes the event; nothing is called.
  limits: [],
  summary: "Writes an event to the outbox, for a topic.",
  documentation:
    "Needs Kafka. The event is committed together with the transition of the run and relayed afterwards, at least once; its id is the idempotency key of the task. The task is completed by then: an event that the broker never takes (it is too large, or the service may not write to the topic) is kept in `orchestrator.outbox_rejected` with the reason and changes nothing in the run.",
  parameters: keyed({
    topic: z
      .string()
      .min(1)
      .max(249)
      .regex(/^[A-Za-z0-9._-]+$/, { error: "use letters, digits, and . _ -" })
      .meta({ description: "Topic of the event." }),
    key: z.string().max(1_024).optional().meta({ description: "Partition key; the run id by default." }),
    payload: anyJson.optional().meta({ description: "The event; null by default." }),
    headers: textMap.optional().meta({ description: "Headers of the event." }),
  }),
  result: anyJson,
  example: `id: announce
type: emit
parameters:
  topic: invoices.paid
  key: "\${vars.invoice_id}"
  payload: {invoice_id: "\${vars.invoice_id}", paid: true}
`,
});
