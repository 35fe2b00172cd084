/**
 * The REST interface of the goal service that was merged into this one: `/submit`, `/tasks/{task_id}`, and `/ready`,
 * with names in snake_case and errors as `{"detail": …}`, in the words of FastAPI. Every handler calls the contract.
 */
import type { OrchestratorError } from "../../../base/errors.ts";
import type { ReflexState } from "../../../engine/ports/gate/goal-check.ts";
import type { ForeignRoutes } from "../../http/foreign-routes.ts";
import { type Answer, answer } from "../exchange.ts";
import { createForeignRoutes, type Route, type ServingParts } from "../routes.ts";
import { answerProblems, type Problem } from "./problems.ts";
import { getTask, submitTask } from "./tasks.ts";

export interface GoalRoutesParts extends ServingParts {
  /** Of this instance; the name of the service as a whole is empty. */
  readonly health: {
    refresh(): Promise<void>;
    check(name: string): string | null;
    missing(): readonly string[];
  };
  readonly goalCheck: { readonly reflex: ReflexState };
}

/** Creates the routes. */
export function createGoalRoutes(parts: GoalRoutesParts): ForeignRoutes {
  // Names of a query that are not known are left alone, as FastAPI does.
  const routes: readonly Route[] = [
    { verb: "POST", path: /^\/submit$/, names: null, handle: submitTask },
    { verb: "GET", path: /^\/tasks\/([^/]+)$/, names: null, handle: getTask },
    { verb: "GET", path: /^\/ready$/, names: null, handle: () => getReadiness(parts) },
  ];
  return createForeignRoutes(parts, {
    routes,
    places: ["/submit", "/tasks/:task_id", "/ready"],
    owns: (path) => /^\/+((submit|ready)(\/|$)|tasks\/.)/.test(path),
    printError,
  });
}

/** Whether the service takes goals: it is connected to its database, and to Reflex if goals need that. */
async function getReadiness({ health, goalCheck }: GoalRoutesParts): Promise<Answer> {
  await health.refresh();
  const isConnected = !health.missing().includes("database");
  const reflex = goalCheck.reflex;
  const isReady = health.check("") === "SERVING" && reflex !== "unavailable";
  return answer(isReady ? 200 : 503, {
    status: isReady ? "ready" : "not_ready",
    database: isConnected ? "connected" : "disconnected",
    reflex_layer: reflex,
  });
}

/** Words of FastAPI and of the document for some of our codes. */
const WORDS: Readonly<Record<string, string>> = {
  GOAL_NOT_FOUND: "Task not found",
  ROUTE_NOT_FOUND: "Not Found",
  HTTP_METHOD_NOT_ALLOWED: "Method Not Allowed",
};

function printError(error: OrchestratorError): Answer {
  const problems = problemsOf(error);
  if (problems !== null) return answerProblems(problems);
  return answer(error.http, { detail: WORDS[error.code] ?? error.message });
}

/** What is wrong with the body; null: the error is about something else. */
function problemsOf({ code, message, violations }: OrchestratorError): readonly Problem[] | null {
  switch (code) {
    case "INVALID_JSON":
      return [{ loc: ["body", 0], msg: "JSON decode error", type: "json_invalid", ctx: { error: message } }];
    case "PROTOCOL_UNSUPPORTED":
      return [{ loc: ["body"], msg: `Input should be a valid dictionary: ${message}`, type: "model_attributes_type" }];
    case "INVALID_REQUEST":
      return violations.map(({ field, description }) =>
        field === ""
          ? { loc: ["body"], msg: "Input should be a valid dictionary", type: "model_attributes_type" }
          : placeOf(field, description),
      );
    default:
      return null;
  }
}

function placeOf(field: string, description: string): Problem {
  const loc = field === "Idempotency-Key" ? ["header", "idempotency-key"] : ["body", ...partsOf(field)];
  return { loc, msg: description, type: "value_error" };
}

/** `acceptance_criteria[1]` has two parts, the second a number. */
function partsOf(field: string): readonly (string | number)[] {
  const names = field.replace(/_json$/, "").split(/\.|(?=\[)/);
  return names.map((name) => (/^\[\d+\]$/.test(name) ? Number(name.slice(1, -1)) : name));
}
