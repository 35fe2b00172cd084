/**
 * The JSON Schema of flow documents, for editors, generated from the declarations that the checks use. It covers shapes
 * only; references and expressions are checked at registration.
 */
import { z } from "zod";
import type { Json, JsonObject } from "../../base/json/json.ts";
import { TASK_TYPES, WRITABLE_TASK_TYPES } from "../../tasks/index.ts";
import { childSchema, compensationSchema, flowSchema, stateTaskSchema, taskSchema } from "./schema.ts";

type Schema = Record<string, Json>;

const reference = (name: string): Schema => ({ $ref: `#/definitions/${name}` });
const EXPRESSION: Schema = { type: "string", pattern: "\\$\\{", description: "An expression ${…}." };

/** Returns the schema as a JSON value (draft 7, which YAML editors support best). */
export function flowJsonSchema(): JsonObject {
  const flow = toSchema(flowSchema);
  const workflow = propertyOf(flow, "workflow");
  propertyOf(workflow, "tasks")["items"] = reference("task");
  propertyOf(workflow, "compensations")["items"] = reference("compensation");
  const state = propertyOf(workflow, "states")["items"] as Schema;
  setProperty(state, "task", reference("state_task"));
  propertyOf(workflow, "states")["items"] = reference("state");
  const definitions: Schema = {
    task: executable(taskSchema, WRITABLE_TASK_TYPES),
    child: executable(
      childSchema,
      WRITABLE_TASK_TYPES.filter((type) => type !== "condition"),
    ),
    compensation: executable(
      compensationSchema,
      WRITABLE_TASK_TYPES.filter((type) => type !== "condition"),
    ),
    state,
    state_task: executable(stateTaskSchema, WRITABLE_TASK_TYPES),
  };
  for (const type of WRITABLE_TASK_TYPES) definitions[`parameters_${type}`] = parametersOf(type);
  return {
    $schema: "http://json-schema.org/draft-07/schema#",
    title: "Orchestrator flow",
    description: "A flow: tasks (a DAG), states (an FSM), or a graph, run durably.",
    ...flow,
    definitions,
  };
}

/** A task, child, compensation, or state task: its keys, and the parameters that its type requires. */
function executable(schema: z.ZodType, types: readonly (typeof WRITABLE_TASK_TYPES)[number][]): Schema {
  const result = toSchema(schema);
  setProperty(result, "type", {
    description: "Task type.",
    oneOf: types.map((type) => ({ const: type, description: TASK_TYPES[type].summary })),
  });
  result["allOf"] = types.map((type) => {
    const wanted: Schema = { properties: { parameters: reference(`parameters_${type}`) } };
    const required = requiredKeys(type);
    if (required.length > 0) wanted["required"] = required;
    // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
    return { if: { properties: { type: { const: type } }, required: ["type"] }, then: wanted };
  });
  return result;
}

function requiredKeys(type: (typeof WRITABLE_TASK_TYPES)[number]): string[] {
  if (type === "condition") return ["condition"];
  return TASK_TYPES[type].parameters.safeParse({}).success ? [] : ["parameters"];
}

function parametersOf(type: (typeof WRITABLE_TASK_TYPES)[number]): Schema {
  const schema = toSchema(TASK_TYPES[type].parameters);
  for (const [name, value] of Object.entries((schema["properties"] ?? {}) as Schema))
    setProperty(schema, name, allowExpressions(value as Schema));
  if (type === "parallel")
    setProperty(schema, "tasks", { type: "array", items: reference("child"), description: "The children." });
  if (type === "map") setProperty(schema, "task", { allOf: [reference("child")], description: "The child." });
  return schema;
}

/** Allows an expression wherever a value of any type is expected. */
function allowExpressions(schema: Schema): Schema {
  const inner: Schema = { ...schema };
  if (typeof inner["items"] === "object") inner["items"] = allowExpressions(inner["items"] as Schema);
  if (typeof inner["additionalProperties"] === "object")
    inner["additionalProperties"] = allowExpressions(inner["additionalProperties"] as Schema);
  const { description, ...rest } = inner;
  const takesAnyText = Object.keys(rest).length === 0 || (rest["type"] === "string" && Object.keys(rest).length === 1);
  if (takesAnyText) return inner;
  return { ...(description === undefined ? {} : { description }), anyOf: [rest, EXPRESSION] };
}

/** Converts a declaration to JSON Schema, with the empty schema for "any JSON value". */
function toSchema(schema: z.ZodType): Schema {
  const {
    $schema: _,
    definitions: __,
    ...rest
  } = z.toJSONSchema(schema, { target: "draft-7", io: "input", unrepresentable: "any" }) as Schema;
  return simplify(rest) as Schema;
}

function simplify(value: Json): Json {
  if (Array.isArray(value)) return value.map((element: Json) => simplify(element));
  if (typeof value !== "object" || value === null) return value;
  const result: Schema = {};
  for (const [key, element] of Object.entries(value)) {
    if (key === "$ref" && String(element).includes("__schema")) continue;
    if (key === "propertyNames" && JSON.stringify(element) === '{"type":"string"}') continue;
    const simple = simplify(element as Json);
    if (key === "allOf" && JSON.stringify(simple) === "[{}]") continue;
    result[key] = simple;
  }
  return result;
}

function propertyOf(schema: Schema, name: string): Schema {
  return (schema["properties"] as Schema)[name] as Schema;
}

function setProperty(schema: Schema, name: string, value: Schema): void {
  (schema["properties"] as Record<string, Json>)[name] = value;
}
