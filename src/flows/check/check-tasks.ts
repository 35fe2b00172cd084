import type { Json, JsonObject } from "../../base/json/json.ts";
import type { TaskTypeName } from "../../tasks/define.ts";
import { LIMIT_KEYS } from "../../tasks/define.ts";
import { isWritableTaskType, LATER_TASK_TYPES, TASK_TYPES, WRITABLE_TASK_TYPES } from "../../tasks/index.ts";
import { describeIssue } from "../../tasks/schema/describe-issue.ts";
import { suggest } from "../../tasks/schema/suggest.ts";
import type { Path } from "../document/parse.ts";
import type { Problems } from "../document/problems.ts";
import { childSchema, type ExecutableDocument, MAX_TASKS } from "../document/schema.ts";
import { holdsExpression } from "../interpolation/template.ts";
import { keyProblem } from "../limit-key.ts";
import { checkPredicate, checkTemplate, type ReadRules } from "./check-expressions.ts";

/** Properties of the place of a task. */
export interface TaskPlace {
  readonly path: Path;
  readonly rules: ReadRules;
  /** Children may not be conditions and must name their signals. */
  readonly isChild: boolean;
}

/**
 * Checks type, parameters, condition, and children of anything executable. Returns the number of tasks, children
 * included.
 */
export function checkExecutable(task: Partial<ExecutableDocument>, place: TaskPlace, problems: Problems): number {
  const { path, rules } = place;
  const type = checkType(task.type, [...path, "type"], problems);
  if (type === undefined) return 1;
  if (type === "condition" && place.isChild)
    problems.add([...path, "type"], "a condition cannot be a child of parallel or map");
  if (type === "condition" && task.condition === undefined) problems.add(path, 'a condition needs condition: "${…}"');
  if (type !== "condition" && task.condition !== undefined)
    problems.add([...path, "condition"], `condition is only allowed on the type condition, not on ${type}`);
  if (type !== "approval" && task.on_reject !== undefined)
    problems.add([...path, "on_reject"], `on_reject is only allowed on the type approval, not on ${type}`);
  for (const key of LIMIT_KEYS)
    if (task[key] !== undefined && !TASK_TYPES[type].limits.includes(key))
      problems.add([...path, key], `${key} has no effect on a task of type ${type}; remove it`);
  checkLimits(task, path, rules, problems);
  if (task.condition !== undefined) checkPredicate(task.condition, [...path, "condition"], rules, problems);
  checkParametersAsWritten(type, task.parameters as Json | undefined, [...path, "parameters"], problems);
  const { children, rest } = splitChildren(type, task.parameters as Json | undefined);
  const awaited = type === "http" && hasKey(rest, "await_callback") ? (rest as JsonObject).await_callback : undefined;
  const roots = awaited === true ? new Set(rules.roots).add("callback") : rules.roots;
  const read = checkTemplate(rest, [...path, "parameters"], { ...rules, roots }, problems);
  if (awaited === true && !read.has("callback"))
    problems.add(
      [...path, "parameters", "await_callback"],
      'the call must carry the URL for its result: write "${callback.url}" in url, query, headers, body, or text',
    );
  if (awaited !== undefined && typeof awaited !== "boolean")
    problems.add([...path, "parameters", "await_callback"], "write true or false; an expression cannot decide this");
  if (place.isChild && type === "signal" && !hasKey(task.parameters as Json | undefined, "name"))
    problems.add([...path, "parameters"], "a signal task inside parallel or map needs parameters.name");
  let count = 1;
  for (const child of children)
    count += checkChild(child.value, [...path, "parameters", ...child.path], type, rules, problems);
  return count;
}

/** Checks the limits of a task that are expressions. */
export function checkLimits(
  { retry_policy: retry, limit, ...task }: Partial<Pick<ExecutableDocument, (typeof LIMIT_KEYS)[number]>>,
  path: Path,
  rules: ReadRules,
  problems: Problems,
): void {
  if (typeof limit?.key === "string") {
    checkTemplate(limit.key, [...path, "limit", "key"], rules, problems);
    checkWrittenKey(limit.key, path, problems);
  }
  for (const key of LIMIT_KEYS) {
    const value = key === "retry_policy" || key === "limit" ? undefined : task[key];
    if (typeof value === "string") checkTemplate(value, [...path, key], rules, problems);
  }
  const { multiplier, backoff_type: backoff } = retry ?? {};
  if (multiplier !== undefined && (backoff === "fixed" || backoff === "linear"))
    problems.add(
      [...path, "retry_policy", "multiplier"],
      `multiplier has no effect with the backoff_type ${backoff}; remove it, or write exponential`,
    );
  for (const key of ["initial_delay", "max_delay"] as const) {
    const value = retry?.[key];
    if (typeof value === "string") checkTemplate(value, [...path, "retry_policy", key], rules, problems);
  }
}

/** Checks the key of a limit as far as no expression is in it. */
export function checkWrittenKey(key: string, path: Path, problems: Problems): void {
  const problem = holdsExpression(key) ? undefined : keyProblem(key.replaceAll("$${", "${"));
  if (problem !== undefined) problems.add([...path, "limit", "key"], problem);
}

/** Reports a flow with too many tasks. */
export function checkTaskCount(count: number, path: Path, problems: Problems): void {
  if (count > MAX_TASKS)
    problems.add(path, `the flow has ${count} tasks, children included; the limit is ${MAX_TASKS}`);
}

/** The children of a group as written, and its parameters without them. */
export function splitChildren(
  type: TaskTypeName,
  parameters: Json | undefined,
): { children: { value: Json; path: Path }[]; rest: Json } {
  if (typeof parameters !== "object" || parameters === null || Array.isArray(parameters))
    return { children: [], rest: {} };
  if (type === "parallel") {
    const { tasks, ...rest } = parameters as Record<string, Json>;
    return {
      children: Array.isArray(tasks) ? tasks.map((value: Json, index) => ({ value, path: ["tasks", index] })) : [],
      rest,
    };
  }
  if (type === "map") {
    const { task, ...rest } = parameters as Record<string, Json>;
    return { children: task === undefined ? [] : [{ value: task, path: ["task"] }], rest };
  }
  return { children: [], rest: parameters };
}

function checkChild(value: Json, path: Path, groupType: TaskTypeName, rules: ReadRules, problems: Problems): number {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return 1; // reported by the schema of the group
  const result = childSchema.safeParse(value);
  if (!result.success) {
    for (const issue of result.error.issues) {
      for (const described of describeIssue(issue, value)) {
        const isGraphKey = ["id", "depends_on", "trigger_rule", "on_success", "on_failure", "compensate_with"].includes(
          String(described.path[0]),
        );
        const cure =
          described.path.length === 1 && isGraphKey
            ? `a child has no ${described.path[0]}; it is known by its position (tasks.<group>.outputs[0])`
            : described.describe;
        problems.add([...path, ...described.path], cure);
      }
    }
    if (typeof (value as Record<string, Json>)["type"] !== "string") return 1;
  }
  const roots = new Set(rules.roots).add("index");
  if (groupType === "map") roots.add("item");
  const known = Object.fromEntries(Object.entries(value).filter(([key]) => Object.hasOwn(childSchema.shape, key)));
  return checkExecutable(
    known as Partial<ExecutableDocument>,
    { path, rules: { ...rules, roots }, isChild: true },
    problems,
  );
}

function checkType(type: unknown, path: Path, problems: Problems): TaskTypeName | undefined {
  if (typeof type !== "string") return undefined;
  // Whether the flow may contain a step is checked with the rest of what is served.
  if (isWritableTaskType(type) || type === "step") return type;
  if ((LATER_TASK_TYPES as readonly string[]).includes(type)) {
    problems.add(
      path,
      `the task type "${type}" is reserved for a later version of the service; supported types: ${WRITABLE_TASK_TYPES.join(", ")}`,
    );
  } else problems.add(path, unknownType(type));
  return undefined;
}

/** Says that a type does not exist. */
export function unknownType(type: string): string {
  return `there is no task type "${type}"${suggest(type, WRITABLE_TASK_TYPES) || `; supported types: ${WRITABLE_TASK_TYPES.join(", ")}`}`;
}

/**
 * Checks parameters against the schema of the type. Values of expressions are unknown here and are checked after
 * evaluation.
 */
function checkParametersAsWritten(
  type: TaskTypeName,
  parameters: Json | undefined,
  path: Path,
  problems: Problems,
): void {
  const written = parameters ?? {};
  const result = TASK_TYPES[type].parameters.safeParse(written);
  if (result.success) return;
  for (const issue of result.error.issues) {
    for (const described of describeIssue(issue, written)) {
      const isUnknown = isInsideTemplate(written, described.path) && !isChildOf(type, described.path);
      if (!isUnknown) problems.add([...path, ...described.path], described.describe);
    }
  }
}

/** Whether the path leads to the children of a group, or to one of them: no expression gives these. */
function isChildOf(type: TaskTypeName, [name, ...rest]: Path): boolean {
  if (TASK_TYPES[type].effect !== "group") return false;
  return (name === "task" && rest.length === 0) || (name === "tasks" && rest.length < 2);
}

function isInsideTemplate(root: Json, path: Path): boolean {
  let value: Json | undefined = root;
  for (const part of path) {
    if (typeof value !== "object" || value === null) break;
    value = (value as Readonly<Record<string | number, Json>>)[part];
  }
  return typeof value === "string" && holdsExpression(value);
}

function hasKey(value: Json | undefined, key: string): boolean {
  return typeof value === "object" && value !== null && Object.hasOwn(value, key);
}
