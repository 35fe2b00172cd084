/** Errors of flows and their expressions. */
import { type CatalogueEntry, entry } from "./entry.ts";

/** A part of the catalog; see `../error-catalog.ts` for its rules. */
export const FLOW_ERRORS = {
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
  FLOW_RESERVED: entry(
    "INVALID_ARGUMENT",
    400,
    "no",
    "flow {flowId} cannot be started or deleted by callers: ids that begin with {prefix} belong to the service, whose own calls use them",
  ),
  FLOW_INVALID: entry("INVALID_ARGUMENT", 400, "no", "the flow has {count} problem(s), first: {first}"),
  FLOW_SOURCE_INVALID: entry("INVALID_ARGUMENT", 400, "no", "the flow source cannot be read: {problem}"),
  FLOW_INPUT_INVALID: entry("INVALID_ARGUMENT", 400, "no", "input does not match flow {flowId}: {problem}"),
  TEMPLATE_NOT_FOUND: entry("NOT_FOUND", 404, "no", "template {templateId} does not exist"),
  TEMPLATE_IN_FILE: entry(
    "FAILED_PRECONDITION",
    409,
    "no",
    "template {templateId} is a file in the folder of templates; delete the file",
  ),
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
} as const satisfies Record<string, CatalogueEntry>;
