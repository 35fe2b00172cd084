import type { Json } from "../../base/json/json.ts";
import type { Path } from "../document/parse.ts";
import type { Problems } from "../document/problems.ts";
import type { FlowDocument } from "../document/schema.ts";
import type { KnownNames, SlotRoot } from "../interpolation/references.ts";
import { compileTemplate, holdsExpression } from "../interpolation/template.ts";

/** What expressions may read at a place. */
export interface ReadRules {
  readonly names: KnownNames;
  /** Roots that are available here. */
  readonly roots: ReadonlySet<SlotRoot>;
  /** Returns why a task must not be read here, or undefined if it may. */
  forbidTask(id: string): string | undefined;
}

const WHERE: Readonly<Record<SlotRoot, string>> = {
  tasks: "outputs of tasks cannot be read here",
  vars: "variables cannot be read here",
  run: "run cannot be read here",
  item: "item exists only inside a map",
  index: "index exists only inside a map or parallel",
  deps: "deps.first exists only in tasks with trigger_rule: one_success",
  signal: "signal exists only in the when of an on entry",
  compensates: "compensates exists only in compensation tasks",
  event: "event exists only in triggers",
  callback: "callback.url exists only in the parameters of http tasks with await_callback: true",
};

const known = new WeakMap<object, KnownNames>();

/** Variables and tasks that expressions of a flow may name. Returns the same object for the same document. */
export function namesOf(draft: Partial<FlowDocument>): KnownNames {
  const found = known.get(draft);
  if (found !== undefined) return found;
  const { variables, workflow } = draft;
  const nodes: readonly { readonly id?: unknown }[] = [...(workflow?.tasks ?? []), ...(workflow?.states ?? [])];
  const names: KnownNames = {
    variables: new Set([
      ...(variables ?? []).flatMap((variable) => (typeof variable?.name === "string" ? [variable.name] : [])),
      ...Object.keys(workflow?.variables ?? {}),
    ]),
    tasks: new Set(nodes.flatMap((node) => (typeof node?.id === "string" ? [node.id] : []))),
    ...externalIdsOf(draft),
  };
  known.set(draft, names);
  return names;
}

function externalIdsOf({ workflow }: Partial<FlowDocument>): Pick<KnownNames, "externalIds"> {
  const entries = (workflow?.tasks ?? []).flatMap((task): (readonly [string, string])[] =>
    typeof task?.external_id === "string" && typeof task.id === "string" ? [[task.external_id, task.id]] : [],
  );
  return entries.length === 0 ? {} : { externalIds: new Map(entries) };
}

/** Checks all expressions in a value against the rules of its place. Returns the roots that they read. */
export function checkTemplate(value: Json, path: Path, rules: ReadRules, problems: Problems): ReadonlySet<SlotRoot> {
  if (problems.hasTooManyExpressions) return NO_ROOTS;
  const compiled = compileTemplate(value, rules.names);
  problems.countExpressions(compiled.size.count, compiled.size.characters);
  for (const problem of compiled.problems) problems.add([...path, ...problem.path], problem.description);
  for (const { slot, path: place } of compiled.reads) {
    if (!rules.roots.has(slot.root)) problems.add([...path, ...place], WHERE[slot.root]);
    else if (slot.root === "tasks") {
      const reason = rules.forbidTask(String(slot.path[0]));
      if (reason !== undefined) problems.add([...path, ...place], reason);
    }
  }
  return new Set(compiled.reads.map(({ slot }) => slot.root));
}

const NO_ROOTS: ReadonlySet<SlotRoot> = new Set();

/** Checks a value that may read only some roots, and every task if `tasks` is one of them. */
export function checkPlainTemplate(
  value: Json,
  path: Path,
  names: KnownNames,
  roots: readonly SlotRoot[],
  problems: Problems,
): void {
  checkTemplate(value, path, { names, roots: new Set(roots), forbidTask: () => undefined }, problems);
}

/** Checks an expression that must evaluate to a boolean. */
export function checkPredicate(value: string | boolean, path: Path, rules: ReadRules, problems: Problems): void {
  if (typeof value === "boolean") return;
  if (!holdsExpression(value))
    problems.add(path, `expected an expression that evaluates to true or false; write "\${${value.slice(0, 60)}}"`);
  else if (!/^\$\{[\s\S]*\}$/.test(value))
    problems.add(path, "expected exactly one ${…}; text around it makes the result text, not true or false");
  else checkTemplate(value, path, rules, problems);
}
