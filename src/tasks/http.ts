import { z } from "zod";
import { SERVICE_NAME, SERVICE_NAME_RULE } from "../base/net/service-name.ts";
import { defineTaskType } from "./define.ts";
import { anyJson, keyed, textMap } from "./schema/schemas.ts";

/** Methods that an `http` task may use. */
const HTTP_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] as const;

/** How the body of a response becomes the output. */
const RESPONSE_MODES = ["auto", "json", "text", "none"] as const;

/** How integers in responses that a double cannot hold are returned. */
const LARGE_INTEGERS = ["text", "number", "error"] as const;

/** What a `Retry-After` of an answer does. */
const RETRY_AFTER_MODES = ["follow", "ignore"] as const;

const status = z.union([
  z.int().min(100).max(599),
  z.string().regex(/^[1-5]xx$/, { error: "expected a status, or a class of statuses: 2xx" }),
]);

/** `http`: one request to a web service. */
export const http = defineTaskType({
  type: "http",
  effect: "effectful",
  isCalled: true,
  summary: "Calls a web service.",
  documentation:
    "Set `url`, or `service` and `path` for a service that the setting `routing.services` names (see [how-to/services.md](how-to/services.md)): its address may be private, its headers (tokens, for instance) are added, and neither the path nor a redirect leads out of its origin. A service that is not there fails the task with `SERVICE_NOT_FOUND`. The idempotency key is sent as `Idempotency-Key`; run, task, attempt, and fencing token as `X-Orchestrator-Run-Id`, `X-Orchestrator-Task`, `X-Orchestrator-Attempt`, and `X-Orchestrator-Fencing-Token`. `X-Orchestrator-Hops` says how many requests of runs led here, this one included: send it on if you call the service while you answer, and a chain of runs that start each other this way ends with `ROUTING_LOOP` at the ninth. A response with an unexpected status fails the attempt; the error's type is the reason phrase of the status (`NOT_FOUND`, `CONFLICT`, `SERVICE_UNAVAILABLE`), `HTTP_<status>` for unknown ones. 408, 425, 429, and 5xx but for 508 are retried as the retry policy says; others are not. A `Retry-After` (seconds or an HTTP date) sets the delay before the next attempt, up to an hour, unless `retry_after: ignore` leaves it to the retry policy. After 10 retryable failures in a row, not counting 429, the calls of that task to that origin are deferred until a probe succeeds (`BREAKER_OPEN`), each attempt for at most 30 s. With 100 of them in progress and 1,000 queued, further ones are deferred too (`BULKHEAD_FULL`). An operator can stop the calls of a service or an origin as well (`BREAKER_FORCED_OPEN`). A deferred task is `RETRYING` with that error and the time of the next call, and uses up no attempt. The numbers are the settings `tools.*`. The output is the body (JSON, text, or null if there is none). With `full_response: true` it is `{status, url, headers, body}`: `url` is where the answer came from, after redirects; header names are in lower case; `set-cookie` is a list. Integers that JSON would print with other digits (`9007199254740993`) become text, so that no digit is lost. The type of such a value depends on its size, so convert it (`string(x)`) where you read it, or choose with `response: {integers: …}`. The default timeout of an attempt is 30 s. With `await_callback: true` the answer only says that the work has begun: the task stays `RUNNING`, across restarts, until somebody posts the result to `${callback.url}` (see [how-to/callbacks.md](how-to/callbacks.md)). A callback that comes before the answer ends the task, too. `timeout` then bounds the whole attempt, from the call to the callback, and has no default.",
  parameters: keyed({
    url: z.string().min(1).max(8_192).optional().meta({ description: "Absolute http or https URL." }),
    service: z
      .string()
      .regex(SERVICE_NAME, { error: `expected the name of a service: ${SERVICE_NAME_RULE}` })
      .optional()
      .meta({ description: "Name of a service of the setting `routing.services`, instead of a URL." }),
    path: z.string().max(8_192).optional().meta({
      description: "Path below the URL of the service, with a slash in front; `/` by default. It may hold a query.",
    }),
    method: z.enum(HTTP_METHODS).optional().meta({ description: "GET by default, POST if there is a body." }),
    query: z
      .record(
        z.string(),
        z.union([
          z.string(),
          z.number(),
          z.boolean(),
          z.null(),
          z.array(z.union([z.string(), z.number(), z.boolean()])),
        ]),
      )
      .optional()
      .meta({ description: "Query parameters; null omits one, a list repeats it." }),
    headers: textMap.optional().meta({ description: "Request headers." }),
    body: anyJson.optional().meta({ description: "Body, sent as JSON." }),
    text: z
      .string()
      .optional()
      .meta({ description: "Body, sent unchanged (text/plain unless a Content-Type header says otherwise)." }),
    expect_status: z
      .union([status, z.array(status).min(1).max(50)])
      .optional()
      .meta({
        description: "Status or statuses that count as success, or classes of them (`2xx`); 200 to 299 by default.",
      }),
    full_response: z
      .boolean()
      .optional()
      .meta({ description: "true: the output is {status, url, headers, body} instead of the body." }),
    await_callback: z.boolean().optional().meta({
      description:
        "true: the result comes later, at `${callback.url}`, which the request must carry. Not an expression.",
    }),
    retry_after: z.enum(RETRY_AFTER_MODES).optional().meta({
      description:
        "What a `Retry-After` of an unexpected answer does: `follow` (the default) sets the delay before the next attempt, `ignore` leaves the delay to the retry policy.",
    }),
    response: z
      .union([
        z.enum(RESPONSE_MODES),
        keyed({
          body: z.enum(RESPONSE_MODES).optional().meta({ description: "How the body is read; auto by default." }),
          integers: z
            .enum(LARGE_INTEGERS)
            .optional()
            .meta({ description: "What to do with integers that a double cannot hold; text by default." }),
        }),
      ])
      .optional()
      .meta({
        description:
          "How the body of the response is read: `auto` (by Content-Type, the default), `json`, `text`, `none`. As an object, `{body, integers}`: `integers` says what to do with integers in JSON that a double cannot hold (beyond 2^53): `text` (the default), `number` (the nearest double), or `error` (`RESPONSE_UNSUPPORTED`).",
      }),
  })
    .refine((value) => (value.url === undefined) !== (value.service === undefined), {
      error: "set either url, or service and path",
    })
    .refine((value) => value.path === undefined || value.service !== undefined, {
      error: "path requires service",
      path: ["path"],
    })
    .refine((value) => value.body === undefined || value.text === undefined, {
      error: "set either body or text",
      path: ["text"],
    }),
  result: anyJson,
  example: `id: fetch
type: http
parameters:
  method: POST
  url: "https://billing.example/invoices/\${vars.invoice_id}"
  headers: {Accept: application/json}
  body: {currency: EUR}
  expect_status: [200, 201]
retry_policy: {max_retries: 3, backoff_type: exponential, initial_delay: 1s, non_retryable: [NOT_FOUND]}
timeout: 10
`,
  defaultTimeoutMs: 30_000,
});
