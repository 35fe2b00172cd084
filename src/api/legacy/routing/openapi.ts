/** These routes in OpenAPI: `contracts/openapi.yaml` takes them in, and a test compares answers with the schemas. */
import {
  count,
  ERROR_STATUSES,
  json,
  KEY,
  list,
  type OpenapiPart,
  object,
  pathPart,
  query,
  type Schema,
  text,
  time,
} from "../openapi-forms.ts";
import { CACHE_STATUSES, ERROR_STATUS, METHODS, ORIGINS, SOURCES, TASK_STATUSES } from "./words.ts";

const ref = (name: string): Schema => ({ $ref: `#/components/schemas/routing.${name}` });

const nullable = (type: string, description: string, more: Schema = {}): Schema => ({
  type: [type, "null"],
  description,
  ...more,
});
const amount = (description: string): Schema => ({ type: "number", minimum: 0, description });
const httpStatus = (description: string): Schema => nullable("integer", description, { minimum: 100, maximum: 599 });

const TASK_ID = text("Id of the task, a UUID.", { format: "uuid" });

const ERROR = object({
  code: { type: "string", enum: Object.keys(ERROR_STATUS), description: "Stable code." },
  message: text("What is wrong."),
  details: {
    type: "object",
    description:
      "What the error is about. `reason` is the precise code of a refusal, `fields` names all problems of a request.",
    properties: {
      reason: text("Precise code of a request that was refused."),
      fields: list(object({ field: text("Name of the field."), description: text("What is wrong with it.") })),
      requested_droplet: text("Droplet that is not known."),
      available_droplets: list({ type: "string" }),
      task_id: text("Id of the task, or what was asked for as one."),
      droplet_name: text("Droplet of the task."),
      target_url: text("Address of the last call."),
      retry_count: count("Calls after the first one."),
      last_error: nullable("string", "What the last call ended with."),
      response_status: httpStatus("Status of the last answer; null if there was none."),
    },
  },
});

const OUTCOME = {
  task_id: TASK_ID,
  status: { type: "string", enum: TASK_STATUSES, description: "`success` for a 2xx, `error` for a 4xx." },
  target_url: text("Address that was called, after redirects."),
  response_status: { type: "integer", minimum: 100, maximum: 599 },
  response_body: { description: "Body of the answer: JSON, or text if it is none." },
  retry_count: count("Calls after the first one."),
  duration_ms: count("From the submission to the end, pauses included."),
};

const RECORD = {
  ...OUTCOME,
  droplet_name: text("Droplet that was called."),
  method: { type: "string", enum: METHODS },
  path: text("Path that was called."),
  response_status: httpStatus("Null until the droplet has answered."),
  created_at: time("When the task was accepted."),
  completed_at: time("When it ended, however it ended."),
};

const { response_body: _, ...LINE } = RECORD;

/** Schemas by name, without their prefix `routing.`. */
const SCHEMAS: Readonly<Record<string, Schema>> = {
  Error: object({ status: { const: "error" }, error: ref("Problem") }),
  Problem: ERROR,
  Order: {
    ...object(
      {
        droplet_name: text("Droplet to call.", { minLength: 1, maxLength: 128 }),
        method: {
          type: ["string", "null"],
          enum: [...METHODS, "", null],
          description: "Empty means POST with a payload and GET without one.",
        },
        path: nullable("string", "Path below the address of the droplet, with a query if needed. Empty means `/`.", {
          maxLength: 8_192,
        }),
        payload: { description: "Body of the call, sent as JSON; null means none." },
        meta: nullable("object", "Kept with the task, not sent."),
      },
      ["method", "path", "payload", "meta"],
    ),
    additionalProperties: false,
  },
  Outcome: object(OUTCOME),
  Task: object({
    ...RECORD,
    error: { anyOf: [ref("Problem"), { type: "null" }] },
    meta: nullable("object", "As it was submitted."),
  }),
  Tasks: object({
    tasks: list(object(LINE)),
    total: count("All tasks that fit the filters."),
    limit: count("Most tasks of this list."),
  }),
  Droplets: object({
    droplets: list(
      object({
        name: text("Name of the droplet."),
        endpoint: text("Its address."),
        source: { type: "string", enum: SOURCES, description: "Who says where it is." },
        reachable: { type: "boolean", description: "Whether its last call or probe was answered, lately." },
        last_call: nullable("number", "Seconds since the epoch; null if there was none."),
      }),
    ),
    cache_status: { type: "string", enum: CACHE_STATUSES },
    served_from: { type: "string", enum: ORIGINS },
  }),
  Health: object({ status: { const: "ok" }, service: { const: "orchestrator" }, version: text("Of the service.") }),
  Info: object({
    service: { const: "orchestrator" },
    version: text("Of the service."),
    description: text("What it does."),
    endpoints: list({ type: "string" }),
    registry_url: nullable("string", "Null if no registry is read."),
    cache_status: { type: "string", enum: CACHE_STATUSES },
    droplets_known: count("Droplets that can be called."),
    task_timeout_seconds: amount("`TASK_TIMEOUT`."),
    task_max_retries: count("`TASK_MAX_RETRIES`."),
    task_max_history: count("`TASK_MAX_HISTORY`."),
  }),
  Metrics: object({
    service: { const: "orchestrator" },
    version: text("Of the service."),
    uptime_seconds: count("Since this instance started; all counts are since then."),
    tasks: object({
      total: count("Tasks that have ended."),
      success: count("Those that were answered with a 2xx."),
      error: count("Those that failed, or were answered with a 4xx."),
      timeout: count("Those whose last call was not answered in time."),
      success_rate_percent: { type: "number", minimum: 0, maximum: 100 },
      avg_response_time_ms: amount("From submission to end."),
      p95_response_time_ms: amount("Over the newest `TASK_MAX_HISTORY` tasks."),
      p99_response_time_ms: amount("Over the same."),
    }),
    retry: object({
      total_retries: count("Calls after the first one of their task."),
      retry_success_count: count("Tasks that succeeded after a retry."),
      retry_final_fail_count: count("Tasks that failed after their retries."),
    }),
    registry: object({
      syncs_total: count("Reads of the registry."),
      syncs_success: count("Those that succeeded."),
      syncs_error: count("Those that failed."),
      last_sync: nullable("number", "End of the last one that succeeded, seconds since the epoch."),
      last_sync_duration_ms: nullable("number", "Length of the last one."),
      cache_age_seconds: nullable("number", "Age of the list that is used."),
      cache_status: { type: "string", enum: CACHE_STATUSES },
    }),
    droplets_known: count("Droplets that can be called."),
    droplets_reachable: count("Those whose last call or probe was answered, lately."),
  }),
};

/** Precise codes of refusals by operation, besides those of every request. */
const REASONS: Readonly<Record<string, readonly string[]>> = {
  submit: ["INVALID_JSON", "PAYLOAD_TOO_LARGE", "SERVICE_UNKNOWN", "REGISTRY_UNAVAILABLE", "REQUEST_ID_REUSED"],
  get: ["ROUTED_TASK_NOT_FOUND"],
};

function operation(operationId: string, summary: string, schema: string, more: Schema = {}): Schema {
  const errors = [...ERROR_STATUSES, 502, 508].map(
    (code) => [code, { $ref: "#/components/responses/routing.Error" }] as const,
  );
  return {
    tags: ["routing"],
    summary,
    operationId: `routing_${operationId}`,
    "x-reasons": REASONS[operationId.replace(/_.*/, "")] ?? [],
    ...more,
    responses: { 200: { description: "The answer.", content: json(ref(schema)) }, ...Object.fromEntries(errors) },
  };
}

const submit = (id: string): Schema =>
  operation(id, "Calls a droplet, and answers when the task has ended.", "Outcome", {
    parameters: [KEY],
    requestBody: { required: true, content: json(ref("Order")) },
  });

const PATHS: OpenapiPart["paths"] = {
  "/orchestrator/tasks": {
    get: operation("list", "Lists tasks, newest first.", "Tasks", {
      parameters: [
        query("status", "Only tasks with this status.", { type: "string", enum: TASK_STATUSES }),
        query("droplet_name", "Only tasks of this droplet."),
        query("limit", "Most tasks; 100 by default.", { type: "integer", minimum: 1, maximum: 1_000 }),
      ],
    }),
    post: submit("submit"),
  },
  "/tasks": { post: submit("submit_short") },
  "/orchestrator/tasks/{task_id}": {
    get: operation("get", "Returns a task with its answer.", "Task", {
      parameters: [pathPart("task_id", "Id of the task.")],
    }),
  },
  "/orchestrator/droplets": { get: operation("droplets", "Lists droplets by name.", "Droplets") },
  "/orchestrator/info": { get: operation("info", "Says what is routed where, and how.", "Info") },
  "/orchestrator/health": { get: operation("health", "Says that the process answers.", "Health") },
  "/orchestrator/metrics": { get: operation("metrics", "Counts what this instance has routed.", "Metrics") },
};

/** What a document of OpenAPI takes in. */
export const ROUTING_OPENAPI: OpenapiPart = {
  paths: PATHS,
  components: {
    schemas: Object.fromEntries(Object.entries(SCHEMAS).map(([name, schema]) => [`routing.${name}`, schema])),
    responses: { "routing.Error": { description: "What is wrong.", content: json(ref("Error")) } },
  },
};
