/** The flow of a routed task: one call of a service. */
import type { JsonObject } from "../../base/json/json.ts";
import type { BuiltInDocument } from "../ports/built-in.ts";
import { ROUTE_FLOW } from "./ids.ts";

/** How routed tasks are called. */
export interface RouteRules {
  /** Calls after the first one. */
  readonly maxRetries: number;
  /** Longest time of one call, milliseconds. */
  readonly timeoutMs: number;
}

/** Id of the only task. */
export const ROUTE_TASK = "call";

/** The two forms of the flow: with a body, and without one, which is not the same as the body `null`. */
export interface RouteFlows {
  readonly withBody: BuiltInDocument;
  readonly withoutBody: BuiltInDocument;
}

/** Makes both. Their documents are the same objects for the life of the process. */
export function createRouteFlows(rules: RouteRules): RouteFlows {
  return { withBody: toDocument(rules, true), withoutBody: toDocument(rules, false) };
}

/**
 * A 4xx is an answer like any other: it is not retried, 408, 425, and 429 included. What else may succeed later is
 * retried after 1, 2, 4 s, and so on, whatever its `Retry-After` says. It is no dead letter in the end: the task says
 * what has become of it.
 */
function toDocument({ maxRetries, timeoutMs }: RouteRules, hasBody: boolean): BuiltInDocument {
  return {
    id: ROUTE_FLOW,
    name: "Routed task",
    description: "One call of a service, made by RoutingService.",
    variables: [
      { name: "service", type: "string", required: true },
      { name: "method", type: "string", required: true },
      { name: "path", type: "string", required: true },
      { name: "target_url", type: "string", required: true },
      ...(hasBody ? [{ name: "payload", type: "any", required: true }] : []),
    ],
    workflow: {
      tasks: [
        {
          id: ROUTE_TASK,
          type: "http",
          parameters: {
            service: "${vars.service}",
            method: "${vars.method}",
            path: "${vars.path}",
            ...(hasBody ? { body: "${vars.payload}" } : {}),
            full_response: true,
            expect_status: ["2xx", "4xx"],
            retry_after: "ignore",
          },
          ...(maxRetries > 0 ? { retry_policy: toPolicy(maxRetries) } : {}),
          timeout: `${timeoutMs}ms`,
          on_error: "continue",
        },
      ],
      output: "${tasks.call.output == null ? null : tasks.call.output.status}",
    },
  };
}

function toPolicy(maxRetries: number): JsonObject {
  return { max_retries: maxRetries, backoff_type: "exponential", initial_delay: "1s" };
}
