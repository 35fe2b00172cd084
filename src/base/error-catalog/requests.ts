/** Errors of requests and messages. */
import { type CatalogueEntry, entry } from "./entry.ts";

/** A part of the catalog; see `../error-catalog.ts` for its rules. */
export const REQUEST_ERRORS = {
  // Requests
  INVALID_REQUEST: entry("INVALID_ARGUMENT", 400, "no", "{problem}", "field"),
  INVALID_JSON: entry("INVALID_ARGUMENT", 400, "no", "{field} is not valid JSON: {problem}"),
  PAYLOAD_TOO_LARGE: entry("INVALID_ARGUMENT", 413, "no", "{field} has {size} bytes; the limit is {limit}"),
  PAGE_TOKEN_INVALID: entry(
    "INVALID_ARGUMENT",
    400,
    "no",
    "page_token was not issued for this request; start again without it",
  ),
  FILTER_INVALID: entry("INVALID_ARGUMENT", 400, "no", "filter: {problem}"),
  REQUEST_ID_REUSED: entry(
    "ALREADY_EXISTS",
    409,
    "no",
    "request_id {requestId} was already used with another body; use a new one",
  ),
  METHOD_UNIMPLEMENTED: entry("UNIMPLEMENTED", 501, "no", "{method} is not served by this version"),
  ROUTE_NOT_FOUND: entry("NOT_FOUND", 404, "no", "nothing is served at {method} {path}"),
  DEADLINE_EXCEEDED: entry(
    "DEADLINE_EXCEEDED",
    504,
    "request_id",
    "the deadline of the call passed before the answer was ready",
  ),
  REQUEST_CANCELLED: entry("CANCELLED", 499, "no", "the caller went away"),
  SERVICE_UNKNOWN: entry("NOT_FOUND", 404, "no", "there is no service {service}{hint}"),
  REGISTRY_UNAVAILABLE: entry("UNAVAILABLE", 503, "request_id", "service {service} cannot be looked up: {problem}"),
  TOO_MANY_OVERRIDES: entry(
    "FAILED_PRECONDITION",
    409,
    "no",
    "there are {limit} overrides of breakers and bulkheads, which is the most there can be; lift one",
  ),
  SERVICE_CHANGED: entry(
    "ABORTED",
    409,
    "no",
    "service {service} is not the one that was read: {problem}; read it and try again",
  ),
  TOO_MANY_SERVICES: entry(
    "FAILED_PRECONDITION",
    409,
    "no",
    "there are {limit} services that were put, the most that a tenant may have; delete some first",
  ),
  ROUTED_TASK_NOT_FOUND: entry("NOT_FOUND", 404, "no", "routed task {taskId} does not exist"),
  ROUTING_LOOP: entry("FAILED_PRECONDITION", 409, "no", "{hops} calls of runs led to this one; the limit is {limit}"),
  SERVICE_NOT_FOUND: entry("NOT_FOUND", 404, "no", "service {service} is unknown"),
  REQUEST_MALFORMED: entry("INVALID_ARGUMENT", 400, "no", "the request cannot be read: {problem}"),
  MESSAGE_TOO_LARGE: entry(
    "INVALID_ARGUMENT",
    413,
    "no",
    "the {direction} is larger than the limit of {limit} bytes (limits.max_message_bytes)",
  ),
  HEADERS_TOO_LARGE: entry(
    "INVALID_ARGUMENT",
    431,
    "no",
    "the headers of the request are larger than the limit of {limit} bytes",
  ),
  REQUEST_INCOMPLETE: entry("DEADLINE_EXCEEDED", 408, "yes", "the request did not arrive completely in time"),
  PROTOCOL_UNSUPPORTED: entry("UNIMPLEMENTED", 415, "no", "{problem}"),
  HTTP_METHOD_NOT_ALLOWED: entry("UNIMPLEMENTED", 405, "no", "{path} does not take {method}; it takes {allowed}"),
  HTTP_METHOD_UNKNOWN: entry("UNIMPLEMENTED", 501, "no", "the HTTP method {method} is unknown"),
  HOST_REFUSED: entry(
    "PERMISSION_DENIED",
    403,
    "no",
    "host {host} may not be used to call this service; use its address or localhost, or name the host in server.allowed_hosts",
  ),
  ORIGIN_REFUSED: entry(
    "PERMISSION_DENIED",
    403,
    "no",
    "pages of {origin} may not call this service; name the origin in server.cors_origins",
  ),
  SCOPE_MISSING: entry("PERMISSION_DENIED", 403, "no", "{method} needs a credential with the scope {scopes}"),
  CALLER_UNVERIFIED: entry(
    "UNAUTHENTICATED",
    401,
    "no",
    "the proof in x-orchestrator-forwarded is not valid: {problem}; only instances send this header, leave it out",
  ),
  // Messages
  MESSAGE_NOT_FOUND: entry("NOT_FOUND", 404, "no", "there is no message {messageId}"),
  MESSAGE_NOT_REDELIVERABLE: entry(
    "FAILED_PRECONDITION",
    409,
    "no",
    "message {messageId} was for the executor of a task, which has failed since; start its run again, or drop the message",
  ),
} as const satisfies Record<string, CatalogueEntry>;
