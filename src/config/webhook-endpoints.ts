/** The setting of the endpoints that events are posted to. */
import { z } from "zod";
import { eventHeaderProblem } from "../base/net/header-rules.ts";
import { secretNameOf } from "../base/secrets/secret-reference.ts";
import { ENDPOINT_NAME } from "../tasks/emit.ts";
import { durationWithin, namedEntriesSetting, plainUrl, requestHeaders } from "./named-entries.ts";

const REFERENCE = "expected a reference, secret://name, to a secret that holds whsec_ and base64";

const endpoint = z.strictObject({
  url: plainUrl,
  secret: z.string({ error: REFERENCE }).refine((text) => secretNameOf(text) !== null, { error: REFERENCE }),
  headers: requestHeaders
    .superRefine((headers, context) => {
      for (const name of Object.keys(headers)) {
        const problem = eventHeaderProblem("webhook", name);
        if (problem !== null) context.addIssue({ code: "custom", message: problem, path: [name] });
      }
    })
    .optional(),
  timeout: durationWithin(1_000, 60_000, "expected 1s to 60s").optional(),
});

/** Endpoints by name: a map, or its JSON. */
export function webhookEndpointsSetting() {
  return namedEntriesSetting({
    noun: "endpoint",
    name: ENDPOINT_NAME,
    nameRule: "a lower-case letter, then letters, digits, _ and -",
    entry: endpoint,
    example: 'billing: {url: "https://…", secret: "secret://billing"}',
  });
}
