/** Limits that a flow names. A task without bounds of its own relies on a declaration at the service. */
import type { Json } from "../../base/json/json.ts";
import type { TaskTypeName } from "../../tasks/define.ts";
import type { Path } from "../document/parse.ts";
import type { Problems } from "../document/problems.ts";
import type { ExecutableDocument, FlowDocument, LimitDocument } from "../document/schema.ts";
import { splitChildren } from "./check-tasks.ts";

type Bounds = Pick<LimitDocument, "name" | "max_concurrent" | "rate">;

/** A limit that a task or the run names. */
export interface NamedLimit {
  readonly name: string;
  /** It states no bounds. */
  readonly relies: boolean;
  readonly path: Path;
}

/** The limits of a checked document, in its order. */
export function listLimits({ workflow }: FlowDocument): readonly NamedLimit[] {
  const found: NamedLimit[] = [];
  const name = (limit: Bounds | undefined, path: Path): void => {
    if (limit === undefined) return;
    const relies = limit.max_concurrent === undefined && limit.rate === undefined;
    found.push({ name: limit.name, relies, path: [...path, "limit"] });
  };
  const add = (task: ExecutableDocument, path: Path): void => {
    const { type, limit, parameters } = task;
    name(limit, path);
    for (const child of splitChildren(type as TaskTypeName, parameters as Json | undefined).children)
      add(child.value as unknown as ExecutableDocument, [...path, "parameters", ...child.path]);
  };
  name(workflow.limit, ["workflow"]);
  for (const [index, task] of (workflow.tasks ?? []).entries()) add(task, ["workflow", "tasks", index]);
  for (const [index, { task }] of (workflow.states ?? []).entries())
    if (task !== undefined) add(task, ["workflow", "states", index, "task"]);
  for (const [index, task] of (workflow.compensations ?? []).entries()) add(task, ["workflow", "compensations", index]);
  return found;
}

/** Reports limits that have no bounds anywhere: they would give out nothing. */
export function checkDeclared(limits: readonly NamedLimit[], declared: ReadonlySet<string>, problems: Problems): void {
  for (const { name, relies, path } of limits)
    if (relies && !declared.has(name))
      problems.add(
        path,
        `limit ${name} has no bounds: write max_concurrent or rate here, or declare it, for example with ` +
          `orchestrator limits put ${name} --max-concurrent 5`,
      );
}
