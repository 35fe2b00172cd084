import type { Json } from "../../base/json/json.ts";
import type { Path } from "../document/parse.ts";
import type { Problems } from "../document/problems.ts";
import type { FlowDocument, StateDocument } from "../document/schema.ts";
import type { KnownNames, SlotRoot } from "../interpolation/references.ts";
import { checkIds, unknownReference } from "./check-dag.ts";
import { checkPlainTemplate, checkPredicate, checkTemplate, type ReadRules } from "./check-expressions.ts";
import { checkExecutable, checkTaskCount } from "./check-tasks.ts";

const STATES: Path = ["workflow", "states"];
const COMPENSATIONS: Path = ["workflow", "compensations"];
const EXITS = ["transitions", "on", "after", "on_error"] as const;

/** Checks ids, transitions, reachability, compensations, and expressions of an FSM flow. */
export function checkFsm(draft: Partial<FlowDocument>, names: KnownNames, problems: Problems): void {
  const { workflow } = draft;
  const entries = [...(workflow?.states ?? []).entries()].filter(([, state]) => state !== null);
  const compensations = [...(workflow?.compensations ?? []).entries()].filter(([, task]) => task !== null);
  checkIds(
    [
      ...entries.map(([index, state]) => ({ id: state.id, path: [...STATES, index] })),
      ...compensations.map(([index, task]) => ({ id: task.id, path: [...COMPENSATIONS, index] })),
    ],
    problems,
  );
  const states = new Map(
    entries.flatMap(([, state]) => (typeof state.id === "string" ? [[state.id, state] as const] : [])),
  );
  const stateIds = new Set(states.keys());
  const compensationIds = new Set(compensations.flatMap(([, task]) => (typeof task.id === "string" ? [task.id] : [])));
  let count = 0;
  for (const [index, state] of entries)
    count += checkState(state, [...STATES, index], names, stateIds, compensationIds, problems);
  for (const [index, task] of compensations) {
    const rules = readEverything(names, ["tasks", "vars", "run", "compensates"]);
    count += checkExecutable(task, { path: [...COMPENSATIONS, index], rules, isChild: false }, problems);
    if (!entries.some(([, state]) => state.compensate_with === task.id))
      problems.add([...COMPENSATIONS, index], `no state names "${task.id}" in compensate_with`);
  }
  checkTaskCount(count, STATES, problems);
  const initial = workflow?.initial;
  if (initial !== undefined && !stateIds.has(initial))
    problems.add(["workflow", "initial"], unknownReference("state", initial, stateIds));
  else checkReachable(initial ?? entries[0]?.[1].id, states, entries, problems);
  if (workflow?.output !== undefined)
    checkPlainTemplate(workflow.output as Json, ["workflow", "output"], names, ["tasks", "vars", "run"], problems);
}

function checkState(
  state: StateDocument,
  path: Path,
  names: KnownNames,
  stateIds: ReadonlySet<string>,
  compensationIds: ReadonlySet<string>,
  problems: Problems,
): number {
  const rules = readEverything(names, ["tasks", "vars", "run"]);
  for (const key of EXITS) {
    for (const [index, exit] of (state[key] ?? []).entries()) {
      if (exit === null) continue;
      if (typeof exit.to === "string" && !stateIds.has(exit.to))
        problems.add([...path, key, index, "to"], unknownReference("state", exit.to, stateIds));
    }
    if (state.final !== undefined && state[key] !== undefined)
      problems.add([...path, key], `a final state ends the run; it has no ${key}`);
  }
  if (state.on_error !== undefined && state.task === undefined)
    problems.add([...path, "on_error"], "on_error needs a task that can fail");
  if (state.final === undefined && EXITS.every((key) => (state[key] ?? []).length === 0)) {
    problems.add(path, `the state "${state.id}" has no way out; give it transitions, on, after, or final`);
  }
  for (const [index, exit] of (state.transitions ?? []).entries()) {
    if (exit?.when !== undefined) checkPredicate(exit.when, [...path, "transitions", index, "when"], rules, problems);
    else if (exit !== null && index < (state.transitions ?? []).length - 1) {
      problems.add(
        [...path, "transitions", index],
        "this transition has no when, so the ones after it can never be taken; put it last",
      );
    }
  }
  for (const [index, exit] of (state.on ?? []).entries()) {
    if (exit?.when !== undefined)
      checkPredicate(
        exit.when,
        [...path, "on", index, "when"],
        readEverything(names, ["tasks", "vars", "run", "signal"]),
        problems,
      );
  }
  for (const [index, exit] of (state.after ?? []).entries()) {
    if (exit !== null && typeof exit.delay === "string")
      checkTemplate(exit.delay, [...path, "after", index, "delay"], rules, problems);
  }
  const undo = state.compensate_with;
  if (undo !== undefined) {
    if (!compensationIds.has(undo))
      problems.add(
        [...path, "compensate_with"],
        `${unknownReference("compensation task", undo, compensationIds)}; they are listed in workflow.compensations`,
      );
    if (state.task === undefined)
      problems.add([...path, "compensate_with"], "compensate_with needs a task that can be undone");
  }
  return state.task === undefined
    ? 1
    : checkExecutable(state.task, { path: [...path, "task"], rules, isChild: false }, problems);
}

function checkReachable(
  initial: string | undefined,
  states: ReadonlyMap<string, StateDocument>,
  entries: readonly (readonly [number, StateDocument])[],
  problems: Problems,
): void {
  if (initial === undefined) return;
  const reached = new Set<string>();
  const open = [initial];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (reached.has(next)) continue;
    reached.add(next);
    const state = states.get(next);
    for (const key of EXITS)
      for (const exit of state?.[key] ?? []) if (typeof exit?.to === "string") open.push(exit.to);
  }
  for (const [index, state] of entries) {
    if (typeof state.id === "string" && !reached.has(state.id))
      problems.add([...STATES, index], `the state "${state.id}" cannot be reached from "${initial}"`);
  }
}

function readEverything(names: KnownNames, roots: readonly SlotRoot[]): ReadRules {
  return { names, roots: new Set(roots), forbidTask: () => undefined };
}
