/**
 * The short format of flows that come with messages:
 *
 *   {id, name, tasks: [{id, handler, depends_on, inputs, max_retries, timeout}]}
 *
 * Its task ids are any text of up to 255 characters. In the flow each is the `external_id` of its task.
 */
import { type OrchestratorError, toError } from "../../base/errors.ts";
import { isJsonObject, type Json, type JsonObject } from "../../base/json/json.ts";
import { suggest } from "../../tasks/schema/suggest.ts";
import { MAX_EXTERNAL_ID } from "../document/schema.ts";
import { deriveIds } from "./task-ids.ts";

/** Keys of a task that name other tasks. */
const REFERENCES = ["depends_on", "on_success", "on_failure", "compensate_with"] as const;

/**
 * The flow of a definition. The format declares no variables: whatever its run gets (`inputs`) is one. The n-th retry
 * of a task waits `base`^n seconds. Errors: FLOW_INVALID.
 */
export function fromShort(definition: JsonObject, inputs: readonly string[], base: number): JsonObject {
  const id = readText(definition, "id");
  const name = readText(definition, "name") || id;
  const { tasks } = definition;
  if (!Array.isArray(tasks)) throw invalid("tasks", "expected a list");
  const ids = deriveIds(tasks.map((task: Json, index) => readId(task, index, tasks)));
  const variables = inputs.toSorted().map((input) => ({ name: input }));
  const own = tasks.map((task: Json, index) => withIds(toTask(task as JsonObject, ids, base), ids, index));
  return { id, name, variables, workflow: { tasks: own } };
}

function readText(definition: JsonObject, key: "id" | "name"): string {
  const value = definition[key] ?? "";
  if (typeof value !== "string") throw invalid(key, "expected text");
  return value;
}

function readId(task: Json, index: number, tasks: readonly Json[]): string {
  if (!isJsonObject(task)) throw invalid(`tasks[${index}]`, "expected an object");
  const { id } = task;
  const place = `tasks[${index}].id`;
  if (typeof id !== "string" || id === "")
    throw invalid(
      place,
      `expected text of up to ${MAX_EXTERNAL_ID} characters${id === undefined ? "; it is missing" : ""}`,
    );
  const { length } = [...id];
  if (length > MAX_EXTERNAL_ID) throw invalid(place, `it has ${length} characters; the limit is ${MAX_EXTERNAL_ID}`);
  const first = tasks.findIndex((other) => isJsonObject(other) && other.id === id);
  if (first !== index) throw invalid(place, `${JSON.stringify(id)} is the id of tasks[${first}], too`);
  return id;
}

/** A task with `handler` is one for executors; any other is written as in our own format. */
function toTask(task: JsonObject, ids: ReadonlyMap<string, string>, base: number): JsonObject {
  if (!("handler" in task)) return task;
  const { handler, inputs, max_retries: maxRetries, depends_on: dependsOn, ...rest } = task;
  const names = Array.isArray(dependsOn) ? dependsOn.filter((one) => typeof one === "string") : [];
  const given = inputs ?? outputsOf(names, ids);
  return {
    type: "queue",
    ...rest,
    ...(dependsOn === undefined ? {} : { depends_on: dependsOn }),
    parameters: { handler: handler ?? "", inputs: given },
    ...(maxRetries === undefined ? {} : { retry_policy: { max_retries: maxRetries, ...backoffOf(base) } }),
  };
}

/** The outputs of tasks by their written ids. */
function outputsOf(names: readonly string[], ids: ReadonlyMap<string, string>): Json {
  const read = (name: string): string => `tasks["${ids.get(name) ?? ""}"].output`;
  // Keys of flows hold no expressions; those of a map that is one may.
  if (names.some((name) => name.includes("${")))
    return `\${{${names.map((name) => `${JSON.stringify(name)}: ${read(name)}`).join(", ")}}}`;
  return Object.fromEntries(names.map((name) => [name, `\${${read(name)}}`]));
}

function backoffOf(base: number): JsonObject {
  return { backoff_type: "exponential", initial_delay: base, multiplier: base, max_delay: "24h" };
}

function withIds(task: JsonObject, ids: ReadonlyMap<string, string>, index: number): JsonObject {
  const written = task.id as string;
  const idOf = (one: Json, place: string): Json => {
    // What is not text is for the checks of flows.
    if (typeof one !== "string") return one;
    const known = ids.get(one);
    if (known !== undefined) return known;
    throw invalid(place, `there is no task ${JSON.stringify(one)}${suggest(one, [...ids.keys()])}`);
  };
  const named = REFERENCES.flatMap((key) => {
    const value = task[key];
    if (value === undefined) return [];
    const place = `tasks[${index}].${key}`;
    return [[key, Array.isArray(value) ? value.map((one, at) => idOf(one, `${place}[${at}]`)) : idOf(value, place)]];
  });
  const id = ids.get(written) ?? "";
  return { ...task, id, ...(id === written ? {} : { external_id: written }), ...Object.fromEntries(named) };
}

function invalid(place: string, problem: string): OrchestratorError {
  return toError("FLOW_INVALID", { count: 1, first: `${place}: ${problem}` });
}
