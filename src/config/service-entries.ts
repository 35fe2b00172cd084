/** The setting of the services that tasks call by name. */
import { z } from "zod";
import { refuseField } from "../base/field-error.ts";
import type { JsonObject } from "../base/json/json.ts";
import { LABEL_KEY } from "../base/labels.ts";
import { SERVICE_NAME, SERVICE_NAME_RULE } from "../base/net/service-name.ts";
import { limitNameProblem } from "../flows/builtin/limit-names.ts";
import { durationWithin, namedEntriesSetting, plainUrl, requestHeaders } from "./named-entries.ts";

const count = (least: number, most: number) =>
  z
    .int({ error: `expected a whole number from ${least} to ${most}` })
    .min(least, { error: `expected at least ${least}` })
    .max(most, { error: `expected at most ${most}` })
    .optional();

const LIMIT_RULE = "expected the name of a limit: up to 63 letters, digits, . _ / and -";

const service = z.strictObject({
  url: plainUrl.refine((text) => URL.parse(text)?.search === "", { error: "expected a URL without a query" }),
  headers: requestHeaders.optional(),
  timeout: durationWithin(1, 3_600_000, "expected 1ms to 1h").optional(),
  retry: z.enum(["task", "safe", "never"], { error: "expected task, safe, or never" }).optional(),
  breaker_failures: count(1, 1_000),
  breaker_open: durationWithin(1, 3_600_000, "expected 1ms to 1h").optional(),
  breaker_max_open: durationWithin(1, 3_600_000, "expected 1ms to 1h").optional(),
  max_concurrent: count(1, 1_000_000),
  max_queued: count(0, 1_000_000),
  limit: z
    .string({ error: "expected the name of a limit" })
    .regex(LABEL_KEY, { error: LIMIT_RULE })
    .refine((name) => limitNameProblem(name) === null, {
      error: ({ input }) => limitNameProblem(String(input)) ?? LIMIT_RULE,
    })
    .optional(),
  health_path: z
    .string({ error: "expected a path" })
    .regex(/^\/(?!\/)[^\s\\#\u0000-\u001f]{0,1023}$/, { error: "expected a path with a slash in front" })
    .optional(),
});

/** What the setting says of a service. */
export type ServiceEntry = z.infer<typeof service>;

/** Without headers: those are the operator's. */
const putService = service.omit({ headers: true });

/** Reads what a call says of a service, by the rules of the setting. Error: INVALID_REQUEST. */
export function readServiceEntry(entry: JsonObject): Omit<ServiceEntry, "headers"> {
  const read = putService.safeParse(entry);
  if (read.success) return read.data;
  const [issue] = read.error.issues;
  return refuseField(["entry", ...(issue?.path ?? [])].join("."), issue?.message ?? "it cannot be read");
}

/** An origin, as URLs have it: scheme, host, and port. */
const ORIGIN = /^https?:\/\/[^/?#@\\\s\u0000-\u001f]+$/;

/** Headers by the origin that they are for: a map, or its JSON. */
export function originsSetting() {
  return namedEntriesSetting({
    noun: "origin",
    name: ORIGIN,
    nameRule: "scheme, host, and port: https://billing.example",
    entry: requestHeaders,
    example: '"https://billing.example": {Authorization: "secret://billing"}',
  });
}

/** Services by name: a map, or its JSON. */
export function servicesSetting() {
  return namedEntriesSetting({
    noun: "service",
    name: SERVICE_NAME,
    nameRule: SERVICE_NAME_RULE,
    entry: service,
    example: 'billing: {url: "https://…", headers: {Authorization: "secret://billing"}}',
  });
}
