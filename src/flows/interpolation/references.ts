/**
 * What an expression reads. Every path with a fixed root (`tasks.a.output.n`, `vars.x`, `item.name`) becomes a *slot*:
 * it is looked up in the scope before the evaluation, and a number replaces it in the syntax tree. Only named values
 * are looked up, and they are known before anything runs.
 */
import { suggest } from "../../tasks/schema/suggest.ts";
import { showCall } from "../expressions/call.ts";
import { findFunction, findMethod, functionNames, NOW } from "../expressions/functions/functions.ts";
import type { CallExpr, Expr, LoopExpr } from "../expressions/language/syntax.ts";
import { TYPE_VALUES } from "../expressions/values/values.ts";

/** Roots of slots. */
export const SLOT_ROOTS = [
  "tasks",
  "vars",
  "run",
  "item",
  "index",
  "deps",
  "signal",
  "compensates",
  "callback",
  "event",
] as const;
export type SlotRoot = (typeof SLOT_ROOTS)[number];

/** A path that is looked up in the scope. */
export interface Slot {
  readonly root: SlotRoot;
  /** Keys after the root; for `tasks` the first one is the id. */
  readonly path: readonly (string | number)[];
}

/** Names of variables and tasks that may be written bare. */
export interface KnownNames {
  readonly variables: ReadonlySet<string>;
  readonly tasks: ReadonlySet<string>;
  /** Ids of tasks by the external ones; absent when there are none. */
  readonly externalIds?: ReadonlyMap<string, string>;
}

/** The result of analyzing an expression. */
export interface Analysis {
  /** The tree with slots instead of paths. */
  readonly tree: Expr;
  readonly slots: readonly Slot[];
  /** Problems, each a sentence. */
  readonly problems: readonly string[];
}

/**
 * Maximum nesting depth of operations; a sum of a hundred terms nests a hundred deep. The evaluator recurses, so it
 * needs a limit.
 */
const MAX_EXPRESSION_DEPTH = 200;

/** Namespaces of function names. */
const NAMESPACES = new Set(
  [...functionNames].flatMap((name) => (name.includes(".") ? [name.split(".")[0] as string] : [])),
);
const TASK_FIELDS = ["output", "outputs", "state", "error", "attempt"];
const RUN_FIELDS = [
  ..."run_id flow_id version tenant_id user_id correlation_id labels context start_time state".split(" "),
];
/** Members of the roots that do not come from the flow's author. */
const ROOT_FIELDS: Readonly<Partial<Record<SlotRoot, readonly string[]>>> = {
  run: RUN_FIELDS,
  deps: ["first"],
  signal: ["name", "payload"],
  compensates: ["task", "outcome", "input", "output", "children"],
  callback: ["url"],
  event: ["id", "type", "source", "time", "key", "headers", "body"],
};

/** Finds the slots of a tree, and everything in it that does not exist. */
export function analyseExpression(root: Expr, source: string, names: KnownNames): Analysis {
  const analyser = new Analyser(source, names);
  const tree = analyser.visit(root, new Set());
  return { tree, slots: analyser.slots, problems: [...new Set(analyser.problems)] };
}

class Analyser {
  readonly slots: Slot[] = [];
  readonly problems: string[] = [];
  private readonly names: KnownNames;
  private readonly source: string;
  private readonly numbers = new Map<string, number>();
  private depth = 0;

  constructor(source: string, names: KnownNames) {
    this.source = source;
    this.names = names;
  }

  /** Returns the node with slots instead of paths, except for paths that begin with a loop variable. */
  visit(expr: Expr, bound: ReadonlySet<string>): Expr {
    if (this.depth >= MAX_EXPRESSION_DEPTH) {
      this.problem(`the expression nests deeper than ${MAX_EXPRESSION_DEPTH} operations`);
      return expr;
    }
    this.depth++;
    const visited = this.visitInner(expr, bound);
    this.depth--;
    return visited;
  }

  private visitInner(expr: Expr, bound: ReadonlySet<string>): Expr {
    const chain = readChain(expr);
    if (chain !== undefined && (chain.absolute || !bound.has(chain.name))) return this.toNode(expr, chain);
    switch (expr.kind) {
      case "select":
        return { ...expr, operand: this.visit(expr.operand, bound) };
      case "call":
        return this.visitCall(expr, bound);
      case "list":
        return { ...expr, elements: expr.elements.map((element) => this.visit(element, bound)) };
      case "map":
        if (expr.message !== null)
          this.problem(`messages such as ${expr.message}{} do not exist here; write a map: {"key": value}`);
        return {
          ...expr,
          entries: expr.entries.map(([key, value]) => [this.visit(key, bound), this.visit(value, bound)]),
        };
      case "loop":
        return this.visitLoop(expr, bound);
      default:
        return expr;
    }
  }

  private visitCall(call: CallExpr, bound: ReadonlySet<string>): Expr {
    const { name, target } = call;
    const args = call.args.map((arg) => this.visit(arg, bound));
    if (target?.kind === "name" && !bound.has(target.name)) {
      const qualified = `${target.name}.${name}`;
      if (functionNames.has(qualified)) return this.checkCall({ ...call, name: qualified, target: null, args });
      if (NAMESPACES.has(target.name) && !this.names.variables.has(target.name)) {
        this.problem(`there is no function "${qualified}"${suggest(qualified, [...functionNames])}`);
        return call;
      }
    }
    return this.checkCall({ ...call, args, target: target === null ? null : this.visit(target, bound) });
  }

  /** Checks that a function exists, is called in its own form, and accepts the number of arguments. */
  private checkCall(call: CallExpr): Expr {
    const { name, target } = call;
    if (!/^[A-Za-z_]\w*(\.\w+)?$/.test(name)) return call;
    if (name === "has" && target === null) {
      this.problem('has(…) takes one member, for instance has(vars.x); of a map with any key, ask "key" in map');
      return call;
    }
    if (name === NOW && target === null) {
      if (call.args.length > 0) this.problem("now() takes no arguments");
      return call;
    }
    const found = target === null ? findFunction(name) : findMethod(name);
    const other = target === null ? findMethod(name) : findFunction(name);
    const count = call.args.length + (target === null ? 0 : 1);
    if (found === undefined && other !== undefined) {
      const [overload] = other.overloads;
      this.problem(`"${name}" is a ${other.form}; write ${showCall(other, overload?.params ?? [])}`);
    } else if (found === undefined) {
      this.problem(`there is no function "${name}"${suggest(name, [...functionNames])}`);
    } else if (
      !found.overloads.some(({ params, variadic }) => (variadic ? count >= params.length : count === params.length))
    ) {
      const forms = [...new Set(found.overloads.map(({ params }) => showCall(found, params)))].slice(0, 3);
      this.problem(`"${name}" does not take ${call.args.length} arguments; there is ${forms.join(", ")}`);
    }
    return call;
  }

  private visitLoop(loop: LoopExpr, bound: ReadonlySet<string>): Expr {
    const range = this.visit(loop.range, bound);
    const inner = new Set(bound).add(loop.variable);
    let { accumulator } = loop;
    if (accumulator !== null) {
      accumulator = { ...accumulator, start: this.visit(accumulator.start, bound) };
      inner.add(accumulator.name);
    }
    const condition = loop.condition === null ? null : this.visit(loop.condition, inner);
    return { ...loop, range, accumulator, condition, step: this.visit(loop.step, inner) };
  }

  private toNode(expr: Expr, { name, path }: Chain): Expr {
    const typeName = [name, ...path].join(".");
    if (TYPE_VALUES.has(typeName) && !this.names.variables.has(name) && !this.names.tasks.has(name))
      return { kind: "name", name: typeName, absolute: true, at: expr.at };
    const slot = this.toSlot(name, path);
    if (slot === undefined) return expr;
    const key = JSON.stringify([slot.root, ...slot.path]);
    let index = this.numbers.get(key);
    if (index === undefined) {
      index = this.slots.push(slot) - 1;
      this.numbers.set(key, index);
    }
    return { kind: "slot", index, at: expr.at };
  }

  private toSlot(name: string, path: readonly (string | number)[]): Slot | undefined {
    const isVariable = this.names.variables.has(name);
    const task = this.idOf(name);
    const isTask = this.names.tasks.has(task);
    const isOwn = !isReserved(name) && (isVariable || isTask);
    if (isRoot(name) && !isOwn) return this.checkRoot({ root: name, path });
    if (isVariable && isTask) {
      return this.problem(`"${name}" is a variable and a task; write vars.${name} or tasks.${name}`);
    }
    if (isVariable) return { root: "vars", path: [name, ...path] };
    if (isTask) return this.checkRoot({ root: "tasks", path: [task, ...path] });
    return this.problem(`unknown name "${name}"${this.hint(name)}`);
  }

  private idOf(name: string): string {
    return this.names.tasks.has(name) ? name : (this.names.externalIds?.get(name) ?? name);
  }

  private checkRoot(slot: Slot): Slot | undefined {
    const [first, second, ...rest] = slot.path;
    if (slot.root === "tasks") {
      if (typeof first !== "string") return this.problem('name the task: tasks.<id> or tasks["id"]');
      const id = this.idOf(first);
      if (id !== first)
        return this.checkRoot({ root: "tasks", path: second === undefined ? [id] : [id, second, ...rest] });
      if (!this.names.tasks.has(first)) return this.problem(`there is no task "${first}"${this.hint(first)}`);
      if (typeof second === "string" && !TASK_FIELDS.includes(second)) {
        return this.problem(
          `a task has no "${second}"${suggest(second, TASK_FIELDS) || `; it has ${TASK_FIELDS.join(", ")}`} (data is under tasks.${first}.output)`,
        );
      }
    }
    if (slot.root === "vars" && typeof first === "string" && !this.names.variables.has(first)) {
      return this.problem(`there is no variable "${first}"${this.hint(first)}`);
    }
    const fields = ROOT_FIELDS[slot.root];
    if (fields === undefined || (first === undefined && slot.root !== "deps") || fields.includes(String(first)))
      return slot;
    const meant = this.names.tasks.has(slot.root) ? `; the task of that name is tasks.${slot.root}` : "";
    if (first === undefined)
      return this.problem(`name a member: ${fields.map((field) => `${slot.root}.${field}`).join(", ")}`);
    return this.problem(`${slot.root} has no "${first}"; it has ${fields.join(", ")}${meant}`);
  }

  private hint(name: string): string {
    return (
      hyphenHint(this.source, this.names) ||
      suggest(name, [
        ...this.names.variables,
        ...this.names.tasks,
        ...(this.names.externalIds?.keys() ?? []),
        ...SLOT_ROOTS,
      ])
    );
  }

  private problem(sentence: string): undefined {
    this.problems.push(sentence);
    return undefined;
  }
}

/**
 * The fix for a known name with a hyphen that is written bare in an expression, where CEL reads the hyphen as a minus;
 * empty if there is none.
 */
export function hyphenHint(source: string, { tasks, variables }: KnownNames): string {
  for (const [root, names] of [["tasks", tasks] as const, ["vars", variables] as const]) {
    for (const name of names) {
      if (name.includes("-") && new RegExp(`(^|[^\\w"'-])${name}(?![\\w"'-])`).test(source))
        return `; a name with a hyphen is written ${root}["${name}"]`;
    }
  }
  return "";
}

/** Whether no variable may have the name. Flows had variables called `callback` before it was a root. */
export function isReserved(name: string): boolean {
  return isRoot(name) && name !== "callback";
}

function isRoot(name: string): name is SlotRoot {
  return (SLOT_ROOTS as readonly string[]).includes(name);
}

/** A name with the keys that follow it. */
interface Chain {
  readonly name: string;
  readonly absolute: boolean;
  readonly path: readonly (string | number)[];
}

/** `a.b["c"][0]` as a name and keys; undefined for anything that does not begin with a name or has a computed key. */
function readChain(expr: Expr): Chain | undefined {
  const path: (string | number)[] = [];
  let node: Expr = expr;
  for (;;) {
    if (node.kind === "name") return { name: node.name, absolute: node.absolute, path: path.reverse() };
    if (node.kind === "select" && !node.test) {
      path.push(node.field);
      node = node.operand;
    } else if (node.kind === "call" && node.name === "_[_]") {
      const key = constantKey(node.args[1]);
      if (key === undefined) return undefined;
      path.push(key);
      node = node.args[0] as Expr;
    } else return undefined;
  }
}

function constantKey(expr: Expr | undefined): string | number | undefined {
  if (expr?.kind !== "constant") return undefined;
  const { value } = expr;
  if (typeof value === "string") return value;
  // No list is that long, and the evaluator's message quotes the index as written.
  if (typeof value !== "bigint" || value < 0n || value > Number.MAX_SAFE_INTEGER) return undefined;
  return Number(value);
}
