/** These routes in OpenAPI: `contracts/openapi.yaml` takes them in, and a test compares answers with the schemas. */
import {
  ERROR_STATUSES,
  json,
  KEY,
  list,
  type OpenapiPart,
  object,
  pathPart,
  type Schema,
  text,
} from "../openapi-forms.ts";
import { MOST, PRIORITIES, REFLEX_STATES, STATUSES } from "./words.ts";

const ref = (name: string): Schema => ({ $ref: `#/components/schemas/goals.${name}` });

const UUID_PATTERN = "^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$";

const moment = (description: string): Schema => text(description, { format: "date-time" });

const texts = (description: string): Schema => ({
  ...list({ type: "string", maxLength: MOST.itemCharacters, pattern: "^[^\\x00]*$" }),
  maxItems: MOST.items,
  description,
});

const TASK = {
  task_id: text("Id of the task, a UUID.", { format: "uuid" }),
  goal: text("What is to be done."),
  status: { type: "string", enum: STATUSES, description: "How far it is." },
  priority: { type: "string", enum: PRIORITIES, description: "What begins first." },
  created_at: moment("When it was accepted."),
  metadata: { type: "object", description: "The `context` of the request." },
};

const BUDGET: Schema = {
  ...object(
    {
      max_cost_usd: { type: "number", minimum: 0, maximum: MOST.costUsd, default: 1, description: "Cost, US dollars." },
      max_time_seconds: {
        ...{ type: "integer", minimum: 1, maximum: MOST.timeSeconds, default: 600 },
        description: "Time from its beginning.",
      },
      max_tokens: {
        ...{ type: "integer", minimum: 0, maximum: MOST.tokens, default: 10_000 },
        description: "Tokens of models, input and output together.",
      },
    },
    ["max_cost_usd", "max_time_seconds", "max_tokens"],
  ),
};

/** Schemas by name, without their prefix `goals.`. */
const SCHEMAS: Readonly<Record<string, Schema>> = {
  Order: object(
    {
      goal: text("What is to be done.", { minLength: 1, maxLength: MOST.goalCharacters, pattern: "^[^\\x00]*$" }),
      constraints: texts("What must hold while it is done."),
      context: { type: "object", description: "What is to be known about it, at most 64 KiB of JSON." },
      acceptance_criteria: texts("What must hold when it is done."),
      priority: { type: "string", enum: PRIORITIES, default: "medium", description: "What begins first." },
      budget: { anyOf: [BUDGET, { type: "null" }], description: "What it may cost." },
    },
    ["constraints", "context", "acceptance_criteria", "priority", "budget"],
  ),
  Submitted: object(TASK),
  Task: object({ ...TASK, updated_at: moment("When its status last changed.") }),
  Readiness: object({
    status: { type: "string", enum: ["ready", "not_ready"] },
    database: { type: "string", enum: ["connected", "disconnected"] },
    reflex_layer: { type: "string", enum: REFLEX_STATES },
  }),
  Error: object({ detail: text("What is wrong.") }),
  Problems: object({
    detail: list(
      object(
        {
          loc: list({ type: ["string", "integer"] }),
          msg: text("What is wrong."),
          type: text("Kind of problem, as pydantic names it."),
          ctx: { type: "object", description: "More about it." },
        },
        ["ctx"],
      ),
    ),
  }),
};

function operation(operationId: string, summary: string, reasons: readonly string[], more: Schema = {}): Schema {
  const errors = ERROR_STATUSES.map((code) => [code, { $ref: "#/components/responses/goals.Error" }] as const);
  return {
    ...{ tags: ["goals"], summary, operationId: `goals_${operationId}`, "x-reasons": reasons },
    ...more,
    responses: {
      ...Object.fromEntries(errors),
      422: { $ref: "#/components/responses/goals.Problems" },
      ...(more["responses"] as Schema),
    },
  };
}

const ok = (schema: string, description = "The answer."): Schema => ({ description, content: json(ref(schema)) });

const PATHS: OpenapiPart["paths"] = {
  "/submit": {
    post: operation(
      "submit",
      "Checks a goal, and stores it.",
      ["GOAL_REFUSED", "SAFETY_CHECK_UNAVAILABLE", "INVALID_JSON", "PAYLOAD_TOO_LARGE", "REQUEST_ID_REUSED"],
      {
        parameters: [KEY],
        requestBody: { required: true, content: json(ref("Order")) },
        responses: { 200: ok("Submitted") },
      },
    ),
  },
  "/tasks/{task_id}": {
    get: operation("get", "Returns a task.", ["GOAL_NOT_FOUND"], {
      parameters: [pathPart("task_id", "Id of the task, a UUID.", { pattern: UUID_PATTERN })],
      responses: { 200: ok("Task") },
    }),
  },
  "/ready": {
    get: operation("ready", "Says whether tasks are taken.", [], {
      responses: { 200: ok("Readiness"), 503: ok("Readiness", "Tasks are not taken.") },
    }),
  },
};

/** What a document of OpenAPI takes in. */
export const GOAL_OPENAPI: OpenapiPart = {
  paths: PATHS,
  components: {
    schemas: Object.fromEntries(Object.entries(SCHEMAS).map(([name, schema]) => [`goals.${name}`, schema])),
    responses: {
      "goals.Error": { description: "What is wrong.", content: json(ref("Error")) },
      "goals.Problems": { description: "What is wrong with the request.", content: json(ref("Problems")) },
    },
  },
};
