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
import { generationSchemas } from "./openapi-generate.ts";
import { EXECUTION_STATUSES, TASK_STATUSES } from "./words.ts";

const ref = (name: string): Schema => ({ $ref: `#/components/schemas/workflows.${name}` });

const ERROR = object({ code: text("Stable code."), message: text("What is wrong, with all problems of the request.") });
const ERROR_OR_NULL = { anyOf: [ref("Problem"), { type: "null" }] };

const SUMMARY = {
  execution_id: text("Id of the execution, which is the id of its run."),
  correlation_id: text("As the start gave it; the id of the execution if it gave none."),
  status: { type: "string", enum: EXECUTION_STATUSES },
  workflow_template: { type: ["string", "null"], description: "Null if the start brought its workflow." },
  created_at: time("When the start was accepted."),
};

const STATUS = {
  ...SUMMARY,
  started_at: time("When the first task could start."),
  completed_at: time("When the execution ended, however it ended."),
  progress: {
    ...{ type: "number", minimum: 0, maximum: 1 },
    description: "Tasks that have ended, divided by all tasks that the execution has so far.",
  },
  tasks: list(
    object({
      id: text("Path of the task."),
      name: text("Name for people."),
      type: text("Task type."),
      status: { type: "string", enum: TASK_STATUSES },
      attempts: { type: "integer", minimum: 0 },
      error: ERROR_OR_NULL,
    }),
  ),
  tasks_omitted: { type: "integer", description: "Tasks beyond the 2,000 that are named." },
  error: ERROR_OR_NULL,
  output: { description: "Output of the workflow; null until it has completed." },
};

/** Schemas by name, without their prefix `workflows.`. */
const SCHEMAS: Readonly<Record<string, Schema>> = {
  Error: object({ error: ref("Problem") }),
  Problem: ERROR,
  StartRequest: {
    ...object(
      {
        correlation_id: { type: ["string", "null"], maxLength: 256, description: "Passed along; may repeat." },
        workflow_template: { type: ["string", "null"], maxLength: 64, description: "Id of a template." },
        workflow: { type: ["object", "null"], description: "A workflow instead of a template, with an id." },
        variables: { type: ["object", "null"], description: "Values of the variables, by name." },
        user_id: { type: ["string", "null"], maxLength: 256, description: "On whose behalf it runs." },
      },
      ["correlation_id", "workflow_template", "workflow", "variables", "user_id"],
    ),
    oneOf: [
      { required: ["workflow_template"], properties: { workflow_template: { type: "string", minLength: 1 } } },
      { required: ["workflow"], properties: { workflow: { type: "object" } } },
    ],
    description: "Names a template or brings a workflow. Other keys are kept as the run's execution context.",
  },
  Started: object(SUMMARY),
  Summary: object({ ...SUMMARY, completed_at: time("When the execution ended.") }),
  Status: object(STATUS, ["tasks_omitted"]),
  Execution: object(
    {
      ...STATUS,
      flow: object({ id: text("Flow that runs."), version: text("Its version.") }),
      user_id: text("On whose behalf it runs."),
      variables: { type: "object", description: "Values of all variables, those that the workflow computes included." },
    },
    ["tasks_omitted"],
  ),
  List: object({ workflows: list(ref("Summary")), next_page_token: text("Empty on the last page.") }),
  Template: object(
    {
      id: text("Id of the template."),
      name: text("Name for people."),
      description: text("What it does."),
      category: text("Group in lists."),
      version: text("Version of the template."),
      variables: list(
        object(
          {
            name: text("Name of the variable."),
            type: text("Type of its values."),
            description: text("What it means."),
            required: { type: "boolean" },
            default: { description: "Value if a start sets none." },
          },
          ["default"],
        ),
      ),
      task_count: { type: "integer", description: "Only for one template." },
      source: text("The file. Only for one template."),
    },
    ["task_count", "source"],
  ),
  Templates: object({ templates: list(ref("Template")), total: { type: "integer" } }),
  ...generationSchemas(ref),
  Health: object({ status: { const: "healthy" } }),
  ServiceStatus: object({
    active_workflows: { type: "integer", description: "Executions that have not ended, at all instances." },
    templates: object({
      count: { type: "integer" },
      by_category: { type: "object", additionalProperties: { type: "integer" } },
      refused: list(
        object({
          file: text("Name of the file."),
          error: ref("Problem"),
          keeps: { type: ["string", "null"], description: "Template whose last good content stays." },
        }),
      ),
    }),
    recovery: object({
      timeouts: count("Runs and tasks that ran out of time at this instance."),
      orphans: count("Idle runs that were found."),
      restarted: count("Those that another run took the place of."),
      resumed: count("Those whose tasks were handed out again."),
      failed: count("Those that failed with ORPHANED."),
      last_run_at: time("When idle runs were last looked for."),
    }),
    redis: object({ connected: { type: "boolean" }, since: time("Null without Redis.") }),
  }),
};

const ID = pathPart("execution_id", "Id of the execution.");
const GENERATION_ID = pathPart("generation_id", "Id of the generation.");
const TEMPLATE_ID = pathPart("template_id", "Id of the template.");

const DECISION = [
  ...["INVALID_JSON", "GENERATION_NOT_FOUND", "GENERATION_NOT_DRAFT", "APPROVAL_DECIDED", "RUN_FINISHED"],
  "REQUEST_ID_REUSED",
];

/** Codes of errors by operation, besides those of every request. */
const REASONS: Readonly<Record<string, readonly string[]>> = {
  list: ["PAGE_TOKEN_INVALID"],
  start: [
    ...["INVALID_JSON", "PAYLOAD_TOO_LARGE", "TEMPLATE_NOT_FOUND", "FLOW_INPUT_INVALID", "FLOW_INVALID"],
    ...["FLOW_SOURCE_INVALID", "REQUEST_ID_REUSED"],
  ],
  get: ["RUN_NOT_FOUND"],
  status: ["RUN_NOT_FOUND"],
  cancel: ["INVALID_JSON", "RUN_NOT_FOUND", "RUN_FINISHED"],
  delete: ["INVALID_JSON", "RUN_NOT_FOUND", "RUN_FINISHED"],
  template: ["TEMPLATE_NOT_FOUND"],
  generate: [
    "INVALID_JSON",
    "PAYLOAD_TOO_LARGE",
    "GENERATION_UNAVAILABLE",
    "REQUIRED_SERVICE_INVALID",
    "REQUEST_ID_REUSED",
  ],
  generation: ["GENERATION_NOT_FOUND"],
  approve: [...DECISION, "DRAFT_HASH_MISMATCH"],
  reject: DECISION,
};

function operation(operationId: string, summary: string, schema: string, more: Schema = {}, status = 200): Schema {
  const statuses = operationId === "generate" ? [200, 202] : [status];
  const errors = ERROR_STATUSES.map((code) => [code, { $ref: "#/components/responses/workflows.Error" }] as const);
  return {
    tags: ["workflows"],
    summary,
    operationId: `workflows_${operationId}`,
    "x-reasons": REASONS[operationId] ?? [],
    ...more,
    responses: Object.fromEntries([
      ...statuses.map((code) => [code, { description: "The answer.", content: json(ref(schema)) }] as const),
      ...errors,
    ]),
  };
}

/** The routes. */
const PATHS: Readonly<Record<string, Readonly<Record<string, Schema>>>> = {
  "/api/v1/workflows": {
    get: operation("list", "Lists executions, newest first.", "List", {
      parameters: [
        query("status", "Only executions with this status.", { type: "string", enum: EXECUTION_STATUSES }),
        query("workflow_template", "Only executions of this template."),
        query("correlation_id", "Only executions with this correlation id."),
        query("limit", "Most lines of a page; 50 by default, at most 500.", {
          type: "integer",
          minimum: 1,
          maximum: 500,
        }),
        query("page_token", "`next_page_token` of the page before."),
      ],
    }),
    post: operation(
      "start",
      "Starts an execution.",
      "Started",
      { parameters: [KEY], requestBody: { required: true, content: json(ref("StartRequest")) } },
      202,
    ),
  },
  "/api/v1/workflows/{execution_id}": {
    get: operation("get", "Returns an execution with its variables.", "Execution", { parameters: [ID] }),
    delete: operation("delete", "Cancels an execution.", "Summary", { parameters: [ID, KEY] }),
  },
  "/api/v1/workflows/{execution_id}/status": {
    get: operation("status", "Returns the status of an execution.", "Status", { parameters: [ID] }),
  },
  "/api/v1/workflows/{execution_id}/cancel": {
    post: operation("cancel", "Cancels an execution.", "Summary", {
      parameters: [ID, KEY],
      requestBody: {
        content: json(object({ reason: text("Kept in the journal.", { maxLength: 1_024 }) }, ["reason"])),
      },
    }),
  },
  "/api/v1/generate": {
    post: operation("generate", "Has a model write a template; 202 if that takes longer than 50 s.", "Generation", {
      parameters: [KEY],
      requestBody: { required: true, content: json(ref("GenerateRequest")) },
    }),
  },
  "/api/v1/generate/{generation_id}": {
    get: operation("generation", "Returns a generation with its draft.", "Generation", {
      parameters: [GENERATION_ID],
    }),
  },
  "/api/v1/generate/{generation_id}/approve": {
    post: operation("approve", "Makes a draft a template.", "Generation", {
      parameters: [GENERATION_ID, KEY],
      requestBody: { required: true, content: json(ref("ApproveRequest")) },
    }),
  },
  "/api/v1/generate/{generation_id}/reject": {
    post: operation("reject", "Ends a generation without a template.", "Generation", {
      parameters: [GENERATION_ID, KEY],
      requestBody: { content: json(ref("RejectRequest")) },
    }),
  },
  "/api/v1/templates": {
    get: operation("templates", "Lists templates by id.", "Templates", {
      parameters: [query("category", "Only templates of this category.")],
    }),
  },
  "/api/v1/templates/{template_id}": {
    get: operation("template", "Returns a template with its source.", "Template", { parameters: [TEMPLATE_ID] }),
  },
  "/health": { get: operation("health", "Says that the process answers.", "Health") },
  "/status": { get: operation("service", "Says what the service is doing.", "ServiceStatus") },
};

/** What a document of OpenAPI takes in. */
export const WORKFLOW_OPENAPI: OpenapiPart = {
  paths: PATHS,
  components: {
    schemas: Object.fromEntries(Object.entries(SCHEMAS).map(([name, schema]) => [`workflows.${name}`, schema])),
    responses: { "workflows.Error": { description: "What is wrong.", content: json(ref("Error")) } },
  },
};
