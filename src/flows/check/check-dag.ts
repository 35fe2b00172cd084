import type { Json } from "../../base/json/json.ts";
import { RESERVED_IDS } from "../../tasks/schema/schemas.ts";
import { suggest } from "../../tasks/schema/suggest.ts";
import type { Path } from "../document/parse.ts";
import type { Problems } from "../document/problems.ts";
import { type FlowDocument, MAX_DEPENDENCIES, type TaskDocument } from "../document/schema.ts";
import type { KnownNames, SlotRoot } from "../interpolation/references.ts";
import { checkTemplate, type ReadRules } from "./check-expressions.ts";
import { checkExternalIds } from "./check-external-ids.ts";
import { checkJoins } from "./check-joins.ts";
import { checkExecutable, checkTaskCount } from "./check-tasks.ts";
import { type DagGraph, dagGraph, findCycle } from "./dag-graph.ts";

const TASKS: Path = ["workflow", "tasks"];

/** Checks ids, references, cycles, compensations, and expressions of a DAG flow. */
export function checkDag(draft: Partial<FlowDocument>, names: KnownNames, problems: Problems): void {
  const entries = [...(draft.workflow?.tasks ?? []).entries()].filter(([, task]) => task !== null);
  checkIds(
    entries.map(([index, task]) => ({ id: task.id, path: [...TASKS, index] })),
    problems,
  );
  checkExternalIds(entries, TASKS, problems);
  const compensations = new Set(entries.flatMap(([, task]) => task.compensate_with ?? []));
  let dependencies = 0;
  for (const [index, task] of entries) {
    dependencies += checkReferences(task, [...TASKS, index], names.tasks, compensations, problems);
    if (compensations.has(task.id)) checkCompensationTask(task, [...TASKS, index], problems);
    if (task.type !== "condition") {
      for (const key of ["on_success", "on_failure"] as const) {
        if (task[key] !== undefined && typeof task.type === "string")
          problems.add([...TASKS, index, key], `${key} is only allowed on the type condition, not on ${task.type}`);
      }
    }
  }
  if (dependencies > MAX_DEPENDENCIES)
    problems.add(TASKS, `the flow has ${dependencies} dependencies; the limit is ${MAX_DEPENDENCIES}`);
  const graph = dagGraph(entries.map(([, task]) => task));
  const cycle = findCycle(graph);
  if (cycle !== undefined) {
    const [first] = cycle;
    const place = entries.find(([, task]) => task.id === first)?.[0];
    const nameOf = new Map(
      entries.flatMap(([, task]) => (task.external_id === undefined ? [] : [[task.id, task.external_id]])),
    );
    problems.add(
      place === undefined ? TASKS : [...TASKS, place],
      `these tasks wait for each other: ${cycle.map((id) => nameOf.get(id) ?? id).join(" → ")}`,
    );
  }
  if (cycle === undefined && dependencies <= MAX_DEPENDENCIES) checkJoins(entries, TASKS, graph, problems);
  let count = 0;
  for (const [index, task] of entries) {
    const rules = rulesOf(task, names, compensations, graph, cycle !== undefined);
    count += checkExecutable(task, { path: [...TASKS, index], rules, isChild: false }, problems);
  }
  checkTaskCount(count, TASKS, problems);
  const output = draft.workflow?.output as Json | undefined;
  if (output !== undefined) {
    const rules: ReadRules = {
      names,
      roots: new Set(["tasks", "vars", "run"]),
      forbidTask: (id) =>
        compensations.has(id) ? `"${id}" is a compensation task; it does not run in a run that completes` : undefined,
    };
    checkTemplate(output, ["workflow", "output"], rules, problems);
  }
}

/** Reports duplicate and reserved ids. */
export function checkIds(entries: readonly { readonly id: unknown; readonly path: Path }[], problems: Problems): void {
  const seen = new Set<unknown>();
  for (const { id, path } of entries) {
    if (typeof id !== "string") continue;
    if (seen.has(id)) problems.add([...path, "id"], `the id "${id}" is used twice`);
    if (RESERVED_IDS.has(id)) problems.add([...path, "id"], `"${id}" cannot be an id; choose another`);
    seen.add(id);
  }
}

/** `there is no task "x"; did you mean "y"?` */
export function unknownReference(kind: string, id: string, known: ReadonlySet<string>): string {
  return `there is no ${kind} "${id}"${suggest(id, [...known])}`;
}

function checkReferences(
  task: TaskDocument,
  path: Path,
  known: ReadonlySet<string>,
  compensations: ReadonlySet<string>,
  problems: Problems,
): number {
  let count = 0;
  for (const key of ["depends_on", "on_success", "on_failure"] as const) {
    const seen = new Set<string>();
    for (const [index, target] of (task[key] ?? []).entries()) {
      const place = [...path, key, index];
      if (typeof target !== "string") continue;
      count++;
      if (!known.has(target)) problems.add(place, () => unknownReference("task", target, known));
      else if (target === task.id) problems.add(place, "a task cannot name itself");
      else if (compensations.has(target))
        problems.add(
          place,
          `"${target}" is a compensation task (compensate_with names it); it is not part of the graph`,
        );
      if (seen.has(target)) problems.add(place, `"${target}" is listed twice`);
      seen.add(target);
    }
  }
  const undo = task.compensate_with;
  if (undo !== undefined) {
    if (!known.has(undo)) problems.add([...path, "compensate_with"], unknownReference("task", undo, known));
    else if (undo === task.id) problems.add([...path, "compensate_with"], "a task cannot compensate itself");
  }
  return count;
}

function checkCompensationTask(task: TaskDocument, path: Path, problems: Problems): void {
  for (const key of ["depends_on", "trigger_rule", "on_success", "on_failure", "compensate_with"] as const) {
    if (task[key] !== undefined) problems.add([...path, key], `"${task.id}" is a compensation task; it has no ${key}`);
  }
  if (task.type === "condition") problems.add([...path, "type"], "a condition cannot be a compensation task");
}

function rulesOf(
  task: TaskDocument,
  names: KnownNames,
  compensations: ReadonlySet<string>,
  graph: DagGraph,
  hasCycle: boolean,
): ReadRules {
  const roots = new Set<SlotRoot>(["tasks", "vars", "run"]);
  if (compensations.has(task.id)) {
    roots.add("compensates");
    return {
      names,
      roots,
      forbidTask: (id) =>
        compensations.has(id) ? `"${id}" is a compensation task; its output cannot be read` : undefined,
    };
  }
  if (task.trigger_rule === "one_success") {
    roots.add("deps");
    return {
      names,
      roots,
      forbidTask: () =>
        "a task with trigger_rule: one_success can read only deps.first, because which other tasks have ended depends on timing",
    };
  }
  return {
    names,
    roots,
    forbidTask(id) {
      if (id === task.id) return "a task cannot read itself";
      if (compensations.has(id)) return `"${id}" is a compensation task; its output cannot be read`;
      if (hasCycle || graph.dependsOn(task.id, id)) return undefined;
      return `"${task.id}" reads "${id}" but does not depend on it; add it to depends_on`;
    },
  };
}
