/**
 * The REST interface of the task router that was merged into this one: paths under `/orchestrator`, and `POST /tasks`,
 * with names in snake_case and errors as `{"status": "error", "error": {"code", "message", "details"}}`. Every handler
 * calls the contract.
 */
import type { OrchestratorError } from "../../../base/errors.ts";
import type { ForeignRoutes } from "../../http/foreign-routes.ts";
import { createForeignRoutes, type Route, type ServingParts } from "../routes.ts";
import { getDroplets, getHealth, getInfo, getMetrics, type RoutingFacts } from "./droplets.ts";
import { answerError } from "./errors.ts";
import { getTask, LIST_NAMES, listTasks, submitTask } from "./tasks.ts";
import { errorOf } from "./words.ts";

export interface RoutingRoutesParts extends RoutingFacts, ServingParts {}

/** Creates the routes. */
export function createRoutingRoutes(parts: RoutingRoutesParts): ForeignRoutes {
  const none: readonly string[] = [];
  const routes: readonly Route[] = [
    { verb: "POST", path: /^\/orchestrator\/tasks$/, names: none, handle: submitTask },
    { verb: "POST", path: /^\/tasks$/, names: none, handle: submitTask },
    { verb: "GET", path: /^\/orchestrator\/tasks$/, names: LIST_NAMES, handle: listTasks },
    { verb: "GET", path: /^\/orchestrator\/tasks\/([^/]+)$/, names: none, handle: getTask },
    { verb: "GET", path: /^\/orchestrator\/droplets$/, names: none, handle: getDroplets },
    // Probes and dashboards may add what they like, against caches for instance.
    { verb: "GET", path: /^\/orchestrator\/info$/, names: null, handle: (exchange) => getInfo(exchange, parts) },
    { verb: "GET", path: /^\/orchestrator\/health$/, names: null, handle: (exchange) => getHealth(exchange, parts) },
    { verb: "GET", path: /^\/orchestrator\/metrics$/, names: null, handle: (exchange) => getMetrics(exchange, parts) },
  ];
  return createForeignRoutes(parts, {
    routes,
    places: ["/orchestrator/*", "/tasks"],
    owns: (path) => /^\/+(orchestrator(\/|$)|tasks\/?$)/.test(path),
    printError: (error) => answerError(errorOf(error), error.message, detailsOf(error)),
  });
}

/** The details of an error of ours, with all problems of the request. */
function detailsOf({ code, details, violations }: OrchestratorError): Readonly<Record<string, unknown>> {
  const snake = Object.entries(details).map(([name, value]) => [
    name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
    value,
  ]);
  const fields = violations.map(({ field, description }) => ({ field, description }));
  return { reason: code, ...Object.fromEntries(snake), ...(fields.length === 0 ? {} : { fields }) };
}
