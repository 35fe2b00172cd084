/** What the document of a flow says of its tasks, without the expressions in it. */
import type { Json, JsonObject } from "../../base/json/json.ts";
import type { FlowDocument } from "../../flows/document/schema.ts";
import { viewFlow } from "../../flows/warnings/view.ts";

/** The parameters of a task. */
export interface TaskText {
  /** Those that are written without an expression. */
  readonly constants: JsonObject;
  /** Names of the others. */
  readonly computed: readonly string[];
}

/** The tasks of a flow. */
export interface TaskTexts {
  /** Whether results can be given for a task. */
  has(id: string): boolean;
  /** The child of a `map` has the id of the map. */
  find(task: { readonly id: string; readonly type: string }): TaskText;
}

/** Reads the tasks of a document that has passed the checks. */
export function readTaskTexts(document: JsonObject): TaskTexts {
  const texts = new Map<string, TaskText>();
  const ids = new Set<string>();
  for (const { id, path, type, task } of viewFlow(document as unknown as FlowDocument).tasks) {
    const own = `${id}${childSuffix(path)}`;
    ids.add(own);
    texts.set(keyOf(own, type), textOf((task.parameters ?? {}) as JsonObject));
  }
  return { has: (id) => ids.has(id), find: ({ id, type }) => texts.get(keyOf(id, type)) ?? NOTHING };
}

const NOTHING: TaskText = { constants: {}, computed: [] };

function keyOf(id: string, type: string): string {
  return `${type} ${id}`;
}

/** Children of `parallel` are called after their position: `checks.0`. */
function childSuffix(path: readonly (string | number)[]): string {
  return path.map((part, at) => (path[at - 1] === "tasks" && path[at - 2] === "parameters" ? `.${part}` : "")).join("");
}

function textOf(parameters: JsonObject): TaskText {
  const isConstant = (value: Json): boolean => !JSON.stringify(value).includes("${");
  const entries = Object.entries(parameters);
  return {
    constants: Object.fromEntries(entries.filter(([, value]) => isConstant(value))),
    computed: entries.flatMap(([name, value]) => (isConstant(value) ? [] : [name])),
  };
}
