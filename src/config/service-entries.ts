/** The setting of the services that tasks call by name. */
import { z } from "zod";
import { SERVICE_NAME, SERVICE_NAME_RULE } from "../base/net/service-name.ts";
import { durationWithin, namedEntriesSetting, plainUrl, requestHeaders } from "./named-entries.ts";

const count = (least: number, most: number) =>
  z
    .int({ error: `expected a whole number from ${least} to ${most}` })
    .min(least, { error: `expected at least ${least}` })
    .max(most, { error: `expected at most ${most}` })
    .optional();

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
  health_path: z
    .string({ error: "expected a path" })
    .regex(/^\/(?!\/)[^\s\\#\u0000-\u001f]{0,1023}$/, { error: "expected a path with a slash in front" })
    .optional(),
});

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
