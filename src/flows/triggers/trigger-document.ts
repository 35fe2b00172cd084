/** The shape of a trigger's definition. References and expressions are checked elsewhere. */
import { z } from "zod";
import type { Json } from "../../base/json/json.ts";
import { LABEL_KEY } from "../../base/labels.ts";
import { secretNameOf } from "../../base/secrets/secret-reference.ts";
import {
  ID_PATTERN,
  ID_PROBLEM,
  keyed,
  MAX_ID_LENGTH,
  PLAIN_TEXT,
  PLAIN_TEXT_PROBLEM,
  versionText,
} from "../../tasks/schema/schemas.ts";
import { signalName } from "../../tasks/signal.ts";

/** How senders of webhooks sign. */
export const WEBHOOK_SCHEMES = ["standard-webhooks", "github", "stripe", "none"] as const;
export type WebhookScheme = (typeof WEBHOOK_SCHEMES)[number];

/** Most secrets of a trigger: the old and the new one, and some. */
const MAX_SECRETS = 8;

const id = z.string().max(MAX_ID_LENGTH).regex(ID_PATTERN, { error: ID_PROBLEM });
const text = z.string().max(256).regex(PLAIN_TEXT, { error: PLAIN_TEXT_PROBLEM });
const predicate = z.union([z.string(), z.boolean()], {
  error: 'expected an expression that evaluates to true or false, written "${…}"',
});
const reference = z
  .string()
  .refine((value) => secretNameOf(value) !== null, { error: "expected a reference to a secret: secret://name" });
const topic = z.string().regex(/^(?!__)[A-Za-z0-9._-]{1,249}$/, {
  error:
    "expected the name of a topic: 1 to 249 letters, digits, ., _ and -, not one of Kafka's own, which begin with __",
});
const stream = z
  .string()
  .max(512)
  .regex(/^[!-~]+$/, { error: "use visible ASCII characters without spaces" });
const place = z.string().min(1).max(512).regex(PLAIN_TEXT, { error: PLAIN_TEXT_PROBLEM });

const source = z.discriminatedUnion(
  "type",
  [
    keyed({
      type: z.literal("webhook"),
      scheme: z.enum(WEBHOOK_SCHEMES),
      secrets: z.array(reference).min(1).max(MAX_SECRETS).optional(),
    }),
    keyed({ type: z.literal("kafka"), topic, offset_reset: z.enum(["latest", "earliest"]).optional() }),
    keyed({ type: z.literal("redis"), stream, group: place.optional() }),
  ],
  { error: "expected webhook, kafka, or redis" },
);

const startAction = keyed({
  version: versionText.optional(),
  input: z.union([z.record(z.string(), z.json()), z.string()], { error: "expected an object, or one ${…}" }).optional(),
  run_key: z.string().min(1).optional(),
  run_key_policy: z.enum(["reject", "return_existing", "terminate_and_start"]).optional(),
  labels: z
    .record(z.string().regex(LABEL_KEY, { error: `expected a key that matches ${LABEL_KEY}` }), z.string())
    .optional(),
  correlation_id: z.string().optional(),
  user_id: z.string().optional(),
});

const signalAction = keyed({ run_key: z.string().min(1), name: signalName, payload: z.json().optional() });

export const triggerSchema = keyed({
  id,
  name: text.optional(),
  description: z.string().max(16_384).optional(),
  flow_id: id,
  source,
  when: predicate.optional(),
  start: startAction.optional(),
  signal: signalAction.optional(),
});

/** A checked definition. */
export interface TriggerDocument {
  readonly id: string;
  readonly flow_id: string;
  readonly source: TriggerSource;
  readonly when?: string | boolean;
  readonly start?: {
    readonly version?: string;
    readonly input?: Json;
    readonly run_key?: string;
    readonly run_key_policy?: "reject" | "return_existing" | "terminate_and_start";
    readonly labels?: Readonly<Record<string, string>>;
    readonly correlation_id?: string;
    readonly user_id?: string;
  };
  readonly signal?: { readonly run_key: string; readonly name: string; readonly payload?: Json };
}

/** Where events come from. */
export type TriggerSource =
  | { readonly type: "webhook"; readonly scheme: WebhookScheme; readonly secrets?: readonly string[] }
  | { readonly type: "kafka"; readonly topic: string; readonly offset_reset?: "latest" | "earliest" }
  | { readonly type: "redis"; readonly stream: string; readonly group?: string };
