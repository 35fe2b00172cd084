import { z } from "zod";
import { eventHeaderProblem, headerProblem } from "../base/net/header-rules.ts";
import { defineTaskType } from "./define.ts";
import { anyJson, keyed, textMap } from "./schema/schemas.ts";

/** Names of endpoints of webhooks. */
export const ENDPOINT_NAME = /^[a-z][a-z0-9_-]{0,62}$/;

/** `emit`: writes an event to the outbox. */
export const emit = defineTaskType({
  type: "emit",
  effect: "effectful",
  leaving: {
    carrier: "topics",
    carrierOf: (parameters) => ("webhook" in parameters ? "webhooks" : "stream" in parameters ? "streams" : "topics"),
    isDoneThen: true,
    toWork: ({ topic, webhook, stream, key, payload, headers }) => {
      const destination = webhook ?? stream ?? topic;
      return {
        destination: typeof destination === "string" ? destination : "",
        input: { payload: payload ?? null, headers: headers ?? {} },
        orderKey: typeof key === "string" ? key : "",
      };
    },
  },
  // The transition that ends the task writes the event; nothing is called.
  limits: [],
  summary: "Writes an event to the outbox, for a topic, a webhook, or a Redis Stream.",
  documentation:
    "Set one of `topic` (needs Kafka), `webhook` (an endpoint that the setting `webhooks.endpoints` names, see [how-to/webhooks.md](how-to/webhooks.md)), and `stream` (needs Redis). The event is committed together with the transition of the run and relayed afterwards, at least once; its id is the idempotency key of the task. Events of a run to one place arrive in their order. The task is completed by then: an event that the other side never takes (it is too large, refused, or too old) is kept with the reason, can be sent again (`orchestrator messages`), and changes nothing in the run.",
  parameters: keyed({
    topic: z
      .string()
      .min(1)
      .max(249)
      .regex(/^[A-Za-z0-9._-]+$/, { error: "use letters, digits, and . _ -" })
      .optional()
      .meta({ description: "Topic of the event." }),
    webhook: z
      .string()
      .regex(ENDPOINT_NAME, { error: "expected the name of an endpoint; URLs stand in the setting webhooks.endpoints" })
      .optional()
      .meta({ description: "Name of the endpoint that the event is posted to. Not an expression." }),
    stream: z
      .string()
      .min(1)
      .max(512)
      .regex(/^[\u0021-\u007e]+$/, { error: "use visible ASCII characters without spaces" })
      .optional()
      .meta({ description: "Redis Stream that the event is added to." }),
    key: z.string().max(1_024).optional().meta({ description: "Partition key in the topic; the run id by default." }),
    payload: anyJson.optional().meta({ description: "The event; null by default." }),
    headers: textMap.optional().meta({
      description:
        "Headers of the event. `orchestrator-…`, and for a webhook `webhook-…`, `content-type`, and `user-agent`, are the service's own and refused. A header that the endpoint has in the configuration has the value from there.",
    }),
  })
    .refine(({ topic, webhook, stream }) => [topic, webhook, stream].filter((one) => one !== undefined).length === 1, {
      error: "set one of topic, webhook, and stream",
    })
    .refine(({ key, topic }) => key === undefined || topic !== undefined, {
      error: "key requires topic",
      path: ["key"],
    })
    .superRefine(({ topic, webhook, headers = {} }, context) => {
      const problemOf = (name: string, value: string): string | null => {
        if (webhook !== undefined) return headerProblem(name, value) ?? eventHeaderProblem("webhook", name);
        return topic === undefined ? null : eventHeaderProblem("topic", name);
      };
      for (const [name, value] of Object.entries(headers)) {
        const problem = problemOf(name, String(value));
        if (problem !== null) context.addIssue({ code: "custom", message: problem, path: ["headers", name] });
      }
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
