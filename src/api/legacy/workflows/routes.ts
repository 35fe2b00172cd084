/**
 * The REST interface of the workflow service that was merged into this one: paths under `/api/v1`, `/health`, and
 * `/status`, with names in snake_case and errors as `{"error": {"code", "message"}}`. Every handler calls the contract.
 */
import type { OrchestratorError } from "../../../base/errors.ts";
import type { ForeignRoutes } from "../../http/foreign-routes.ts";
import { answer } from "../exchange.ts";
import { createForeignRoutes, type Route, type ServingParts } from "../routes.ts";
import { cancelExecution, getExecution, getStatus, LIST_NAMES, listExecutions } from "./executions.ts";
import { approveGeneration, getGeneration, rejectGeneration, startGeneration } from "./generate.ts";
import { startExecution } from "./start.ts";
import { getHealth, getServiceStatus, type StatusSources } from "./status.ts";
import { getTemplate, listTemplates } from "./templates.ts";

export interface WorkflowParts extends StatusSources, ServingParts {}

/** Creates the routes. */
export function createWorkflowRoutes(parts: WorkflowParts): ForeignRoutes {
  const one = "/api/v1/workflows/([^/]+)";
  const none: readonly string[] = [];
  // What probes and pages add to the first two, against caches for instance, changes nothing.
  const routes: readonly Route[] = [
    { verb: "GET", path: /^\/health$/, names: null, handle: getHealth },
    { verb: "GET", path: /^\/status$/, names: null, handle: (exchange) => getServiceStatus(exchange, parts) },
    { verb: "POST", path: /^\/api\/v1\/workflows$/, names: none, handle: startExecution },
    { verb: "GET", path: /^\/api\/v1\/workflows$/, names: LIST_NAMES, handle: listExecutions },
    { verb: "GET", path: new RegExp(`^${one}$`), names: none, handle: getExecution },
    { verb: "DELETE", path: new RegExp(`^${one}$`), names: none, handle: cancelExecution },
    { verb: "GET", path: new RegExp(`^${one}/status$`), names: none, handle: getStatus },
    { verb: "POST", path: new RegExp(`^${one}/cancel$`), names: none, handle: cancelExecution },
    { verb: "POST", path: /^\/api\/v1\/generate$/, names: none, handle: startGeneration },
    { verb: "GET", path: /^\/api\/v1\/generate\/([^/]+)$/, names: none, handle: getGeneration },
    { verb: "POST", path: /^\/api\/v1\/generate\/([^/]+)\/approve$/, names: none, handle: approveGeneration },
    { verb: "POST", path: /^\/api\/v1\/generate\/([^/]+)\/reject$/, names: none, handle: rejectGeneration },
    { verb: "GET", path: /^\/api\/v1\/templates$/, names: ["category"], handle: listTemplates },
    { verb: "GET", path: /^\/api\/v1\/templates\/([^/]+)$/, names: none, handle: getTemplate },
  ];
  return createForeignRoutes(parts, {
    routes,
    places: ["/health", "/status", "/api/v1/*"],
    // With a slash too many, or without the rest, they are meant as well.
    owns: (path) => /^\/+(api|health|status)(\/|$)/.test(path),
    printError: (error) => answer(error.http, { error: { code: error.code, message: messageOf(error) } }),
  });
}

/** Most problems that a message names. */
const MAX_PROBLEMS = 10;

/** What is wrong, with all problems of the request: the body of an error has no place for a list. */
function messageOf({ message, violations }: OrchestratorError): string {
  const more = violations.slice(1, MAX_PROBLEMS).map(({ field, description }) => `; ${field}: ${description}`);
  const left = violations.length - MAX_PROBLEMS;
  return `${message}${more.join("")}${left > 0 ? `; and ${left} more` : ""}`;
}
