import { isJsonObject, type Json } from "../../base/json/json.ts";
import { describeIssue } from "../../tasks/schema/describe-issue.ts";
import type { ParsedSource, Path } from "../document/parse.ts";
import { Problems } from "../document/problems.ts";
import { type FlowDocument, flowSchema } from "../document/schema.ts";
import { checkDag } from "./check-dag.ts";
import { checkPlainTemplate, checkTemplate, namesOf } from "./check-expressions.ts";
import { checkFsm } from "./check-fsm.ts";
import { checkLimits, checkWrittenKey } from "./check-tasks.ts";
import { checkVariables } from "./check-variables.ts";
import { ALL_SERVED, checkServed, type Served } from "./unserved.ts";

/**
 * Runs all checks of a flow and collects every problem. The document is present if there are none. Features that are
 * not `served` are problems too.
 */
export function checkFlow(
  source: ParsedSource,
  served: Served = ALL_SERVED,
): {
  readonly document: FlowDocument | undefined;
  readonly problems: Problems;
} {
  const problems = new Problems(source);
  const result = flowSchema.safeParse(source.value);
  let draft = source.value;
  if (!result.success) {
    const found = result.error.issues.flatMap((issue) => describeIssue(issue, source.value));
    for (const { path, describe } of found) problems.add(path, () => withCure(path, describe(), source));
    draft = prune(
      source.value,
      found.map(({ path }) => path),
    );
  }
  if (isJsonObject(draft)) checkMeaning(draft as Partial<FlowDocument>, problems);
  if (problems.isEmpty && result.success) checkServed(source.value as unknown as FlowDocument, served, problems);
  return {
    document: problems.isEmpty && result.success ? (source.value as unknown as FlowDocument) : undefined,
    problems,
  };
}

/** Checks references, graph, and expressions. Parts with an invalid shape have already been removed from `draft`. */
function checkMeaning(draft: Partial<FlowDocument>, problems: Problems): void {
  checkVariables(draft, problems);
  const { workflow } = draft;
  if (workflow === undefined || !isJsonObject(workflow as Json)) return;
  const kinds = (["tasks", "states", "graph"] as const).filter((kind) => workflow[kind] !== undefined);
  if (kinds.length === 0 && problems.isEmpty)
    problems.add(["workflow"], "expected one of tasks (a DAG), states (an FSM), or graph");
  if (kinds.length > 1)
    problems.add(["workflow", kinds[1] as string], `a flow has either ${kinds.join(" or ")}, not both`);
  const [kind] = kinds;
  if (kind !== undefined) refuseForeignKeys(workflow, kind, problems);
  const names = namesOf(draft);
  const onlyVariables = { variables: names.variables, tasks: new Set<string>() };
  if (typeof workflow.timeout === "string")
    checkPlainTemplate(workflow.timeout, ["workflow", "timeout"], onlyVariables, ["vars"], problems);
  if (typeof workflow.limit?.key === "string") {
    checkPlainTemplate(workflow.limit.key, ["workflow", "limit", "key"], onlyVariables, ["vars"], problems);
    checkWrittenKey(workflow.limit.key, ["workflow"], problems);
  }
  if (kind === "graph") {
    const { attempt_timeout: timeout, retry_policy } = workflow;
    const rules = { names: onlyVariables, roots: new Set(["vars", "run"] as const), forbidTask: () => undefined };
    if (typeof timeout === "string") checkTemplate(timeout, ["workflow", "attempt_timeout"], rules, problems);
    checkLimits(retry_policy === undefined ? {} : { retry_policy }, ["workflow"], rules, problems);
  }
  if (kind === "tasks") checkDag(draft, names, problems);
  if (kind === "states") checkFsm(draft, names, problems);
  if (kind === "graph" && workflow.output !== undefined) {
    checkPlainTemplate(
      workflow.output,
      ["workflow", "output"],
      { variables: names.variables, tasks: new Set() },
      ["vars", "run"],
      problems,
    );
  }
}

const KEYS_OF_KIND = {
  tasks: ["fail_fast"],
  states: ["initial", "max_transitions", "compensations"],
  graph: ["attempt_timeout", "retry_policy"],
} as const;

function refuseForeignKeys(
  workflow: FlowDocument["workflow"],
  kind: keyof typeof KEYS_OF_KIND,
  problems: Problems,
): void {
  for (const [other, keys] of Object.entries(KEYS_OF_KIND)) {
    if (other === kind) continue;
    for (const key of keys)
      if (workflow[key] !== undefined)
        problems.add(["workflow", key], `${key} is only allowed with ${other}; this flow has ${kind}`);
  }
}

/** Appends what to write instead, where that is known. */
function withCure(path: Path, description: string, source: ParsedSource): string {
  const written = source.textOf(path);
  const key = path.at(-1);
  if (description.startsWith("expected text") && written !== undefined)
    return `${description.replace(/the (number|boolean) .*$/, `${written} without quotes`)}; write "${written}" in quotes`;
  if (key === "depends_on" || key === "on_success" || key === "on_failure")
    return `${description}; write a list: [task_id]`;
  if (path.length === 1 && (key === "tasks" || key === "states"))
    return `${key} belongs inside workflow, not next to it`;
  return description;
}

/** Copies a value without the values at `paths`; list elements become null, so that indexes stay valid. */
function prune(value: Json, paths: readonly Path[]): Json {
  const copy = structuredClone(value) as Json;
  for (const path of paths) {
    const last = path.at(-1);
    if (last === undefined) return null;
    let parent: Json | undefined = copy;
    for (const part of path.slice(0, -1)) {
      parent =
        typeof parent === "object" && parent !== null && Object.hasOwn(parent, part)
          ? (parent as Record<string | number, Json>)[part]
          : undefined;
    }
    if (Array.isArray(parent)) (parent as Json[])[last as number] = null;
    else if (typeof parent === "object" && parent !== null) delete (parent as Record<string, Json>)[last as string];
  }
  return copy;
}
