/** A checked flow as seen by warnings: everything that is executed, and every expression with its place. */
import type { Json } from "../../base/json/json.ts";
import type { TaskTypeName } from "../../tasks/define.ts";
import { namesOf } from "../check/check-expressions.ts";
import { splitChildren } from "../check/check-tasks.ts";
import type { Path } from "../document/parse.ts";
import type { ExecutableDocument, FlowDocument } from "../document/schema.ts";
import type { KnownNames } from "../interpolation/references.ts";
import { splitText } from "../interpolation/template.ts";

/** Something executable: a task, a child of a group, the task of a state, or a compensation. */
export interface ViewedTask {
  /** Id of the task or state; for a child, of its group. */
  readonly id: string;
  readonly path: Path;
  readonly type: TaskTypeName;
  readonly task: ExecutableDocument;
  readonly isChild: boolean;
  /** The enclosing `map` tasks, outermost first: `item` is an element of the last one's items. */
  readonly maps: readonly ExecutableDocument[];
}

/** One `${…}`. */
export interface PlacedExpression {
  readonly source: string;
  readonly path: Path;
  /** The enclosing `map` tasks. */
  readonly maps: readonly ExecutableDocument[];
}

export interface FlowView {
  readonly document: FlowDocument;
  readonly names: KnownNames;
  /** In document order, children after their group. */
  readonly tasks: readonly ViewedTask[];
  /** Tasks and states by id, if they execute anything. */
  readonly byId: ReadonlyMap<string, ViewedTask>;
  readonly expressions: readonly PlacedExpression[];
}

/** Takes apart a document that has passed the checks. */
export function viewFlow(document: FlowDocument): FlowView {
  const tasks: ViewedTask[] = [];
  const expressions: PlacedExpression[] = [];
  const collect = (value: Json | undefined, path: Path, maps: readonly ExecutableDocument[]): void => {
    if (typeof value === "string") {
      const parts = value.includes("${") ? splitText(value) : [];
      if (typeof parts === "string") return;
      for (const part of parts) if (typeof part !== "string") expressions.push({ source: part.expression, path, maps });
    } else if (typeof value === "object" && value !== null) {
      for (const [key, part] of Object.entries(value))
        collect(part as Json, [...path, Array.isArray(value) ? Number(key) : key], maps);
    }
  };
  const addTask = (id: string, task: ExecutableDocument, path: Path, maps: ViewedTask["maps"], isChild: boolean) => {
    const type = task.type as TaskTypeName;
    tasks.push({ id, path, type, task, isChild, maps });
    const { parameters, ...rest } = task;
    for (const [key, value] of Object.entries(rest))
      if (key !== "name" && key !== "description") collect(value as Json, [...path, key], maps);
    const split = splitChildren(type, parameters as Json | undefined);
    collect(split.rest, [...path, "parameters"], maps);
    for (const child of split.children)
      addTask(
        id,
        child.value as unknown as ExecutableDocument,
        [...path, "parameters", ...child.path],
        type === "map" ? [...maps, task] : maps,
        true,
      );
  };
  const { workflow } = document;
  for (const [index, task] of (workflow.tasks ?? []).entries())
    addTask(task.id, task, ["workflow", "tasks", index], [], false);
  for (const [index, state] of (workflow.states ?? []).entries()) {
    const path = ["workflow", "states", index];
    if (state.task !== undefined) addTask(state.id, state.task, [...path, "task"], [], false);
    for (const key of ["transitions", "on", "after"] as const)
      collect(state[key] as Json | undefined, [...path, key], []);
  }
  for (const [index, task] of (workflow.compensations ?? []).entries())
    addTask(task.id, task, ["workflow", "compensations", index], [], false);
  collect(workflow.variables as Json | undefined, ["workflow", "variables"], []);
  collect(workflow.output as Json | undefined, ["workflow", "output"], []);
  const byId = new Map(tasks.flatMap((task) => (task.isChild ? [] : [[task.id, task] as const])));
  return { document, names: namesOf(document), tasks, byId, expressions };
}
