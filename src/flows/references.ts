/**
 * What an expression reads. Every path with a fixed beginning (`tasks.a.output.n`, `vars.x`, `item.name`) becomes a *slot*: it is looked up in the scope
 * without CEL, and its place in the syntax tree is taken by a plain name. So only what is named is looked up, and it is known before anything runs.
 */
import type { parse } from "@bufbuild/cel";
import { suggest } from "../tasks/suggest.ts";
import { functionNames, GET_FUNCTION, STEP_FUNCTION } from "./cel-environment.ts";

/** A node of the syntax tree. */
export type Expr = ReturnType<typeof parse>["expr"];

/** Where a slot begins. */
export const SLOT_ROOTS = ["tasks", "vars", "run", "item", "index", "deps", "signal", "compensates"] as const;
/** Where a slot begins. */
export type SlotRoot = (typeof SLOT_ROOTS)[number];

/** A path that is looked up in the scope. */
export interface Slot {
  readonly root: SlotRoot;
  /** Keys after the root: for `tasks` the first one is the id. */
  readonly path: readonly (string | number)[];
}

/** Names that stand for variables and tasks when they are written bare. */
export interface KnownNames {
  readonly variables: ReadonlySet<string>;
  readonly tasks: ReadonlySet<string>;
}

/** What the analysis of an expression found. */
export interface Analysis {
  readonly slots: readonly Slot[];
  /** Problems, each a sentence. */
  readonly problems: readonly string[];
}

/** How deep operations may nest; a sum of a hundred terms nests a hundred deep. The evaluator recurses, so there has to be a bound. */
const MAX_EXPRESSION_DEPTH = 200;

const TYPE_NAMES = new Set(["int", "uint", "double", "bool", "string", "bytes", "list", "map", "null_type", "type"]);
const TASK_FIELDS = ["output", "outputs", "state", "error", "attempt"];
const RUN_FIELDS = [
  ..."run_id flow_id version tenant_id user_id correlation_id labels context start_time state".split(" "),
];
/** Members of the roots that are not data of the flow's author. */
const ROOT_FIELDS: Readonly<Partial<Record<SlotRoot, readonly string[]>>> = {
  run: RUN_FIELDS,
  deps: ["first"],
  signal: ["name", "payload"],
  compensates: ["task", "outcome", "input", "output", "children"],
};

/** The name that takes the place of slot `index` in the tree; no source text can say it. */
export function slotName(index: number): string {
  return `$${index}`;
}

/** Finds the slots of a tree, puts names in their places, and puts the meter into every loop. Changes the tree. */
export function analyseExpression(root: Expr, source: string, names: KnownNames): Analysis {
  const analyser = new Analyser(source, names);
  analyser.visit(root, new Set());
  return { slots: analyser.slots, problems: [...new Set(analyser.problems)] };
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

  /** Visits a node and gives the number of operations below it. */
  visit(expr: Expr, bound: ReadonlySet<string>): number {
    if (this.depth >= MAX_EXPRESSION_DEPTH) {
      this.problems.push(`the expression nests deeper than ${MAX_EXPRESSION_DEPTH} operations`);
      return 1;
    }
    this.depth++;
    const weight = this.visitInner(expr, bound);
    this.depth--;
    return weight;
  }

  private visitInner(expr: Expr, bound: ReadonlySet<string>): number {
    const chain = readChain(expr);
    if (chain !== undefined) {
      if (!bound.has(chain.name)) this.replaceBySlot(expr, chain.name, chain.path);
      else if (chain.path.length > 0) expr.exprKind = getCall(expr, chain.name, chain.path);
      return 1;
    }
    const { exprKind } = expr;
    switch (exprKind.case) {
      case "selectExpr":
        return 1 + this.visitMaybe(exprKind.value.operand, bound);
      case "callExpr":
        return this.visitCall(exprKind.value, bound);
      case "listExpr":
        return exprKind.value.elements.reduce((sum, element) => sum + this.visit(element, bound), 1);
      case "structExpr":
        return this.visitStruct(exprKind.value, bound);
      case "comprehensionExpr":
        return this.visitLoop(exprKind.value, bound);
      default:
        return 1;
    }
  }

  private visitMaybe(expr: Expr | undefined, bound: ReadonlySet<string>): number {
    return expr === undefined ? 0 : this.visit(expr, bound);
  }

  private visitCall(call: ExprOf<"callExpr">, bound: ReadonlySet<string>): number {
    const qualified = call.target === undefined ? undefined : namespaceOf(call.target);
    if (qualified !== undefined && functionNames.has(`${qualified}.${call.function}`)) {
      return call.args.reduce((sum, arg) => sum + this.visit(arg, bound), 1);
    }
    if (
      /^[A-Za-z_]\w*$/.test(call.function) &&
      !/^_[^A-Za-z]/.test(call.function) &&
      !functionNames.has(call.function)
    ) {
      this.problems.push(`there is no function "${call.function}"${suggest(call.function, [...functionNames])}`);
    }
    return call.args.reduce((sum, arg) => sum + this.visit(arg, bound), 1 + this.visitMaybe(call.target, bound));
  }

  private visitStruct(struct: ExprOf<"structExpr">, bound: ReadonlySet<string>): number {
    if (struct.messageName !== "")
      this.problems.push(`messages such as ${struct.messageName}{} do not exist here; write a map: {"key": value}`);
    let weight = 1;
    for (const entry of struct.entries) {
      if (entry.keyKind.case === "mapKey") weight += this.visit(entry.keyKind.value, bound);
      weight += this.visitMaybe(entry.value, bound);
    }
    return weight;
  }

  private visitLoop(loop: ExprOf<"comprehensionExpr">, bound: ReadonlySet<string>): number {
    const range = this.visitMaybe(loop.iterRange, bound);
    const start = this.visitMaybe(loop.accuInit, bound);
    const inner = new Set(bound).add(loop.iterVar).add(loop.accuVar);
    if (loop.iterVar2 !== "") inner.add(loop.iterVar2);
    const body = this.visitMaybe(loop.loopCondition, inner) + this.visitMaybe(loop.loopStep, inner);
    const end = this.visitMaybe(loop.result, inner);
    if (loop.loopCondition !== undefined) loop.loopCondition = stepCall(body, loop.loopCondition);
    return range + start + body + end;
  }

  private replaceBySlot(expr: Expr, name: string, path: readonly (string | number)[]): void {
    const slot = this.toSlot(name, path);
    if (slot === undefined) return;
    const key = JSON.stringify([slot.root, ...slot.path]);
    let number = this.numbers.get(key);
    if (number === undefined) {
      number = this.slots.push(slot) - 1;
      this.numbers.set(key, number);
    }
    expr.exprKind = { case: "identExpr", value: { $typeName: "cel.expr.Expr.Ident", name: slotName(number) } };
  }

  private toSlot(name: string, path: readonly (string | number)[]): Slot | undefined {
    if (isRoot(name)) return this.checkRoot({ root: name, path });
    const isVariable = this.names.variables.has(name);
    const isTask = this.names.tasks.has(name);
    if (isVariable && isTask) {
      return this.problem(`"${name}" is a variable and a task; write vars.${name} or tasks.${name}`);
    }
    if (isVariable) return { root: "vars", path: [name, ...path] };
    if (isTask) return this.checkRoot({ root: "tasks", path: [name, ...path] });
    if (TYPE_NAMES.has(name) && path.length === 0) return undefined;
    return this.problem(`unknown name "${name}"${this.hint(name)}`);
  }

  private checkRoot(slot: Slot): Slot | undefined {
    const [first, second] = slot.path;
    if (slot.root === "tasks") {
      if (typeof first !== "string") return this.problem('name the task: tasks.<id> or tasks["id"]');
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
      suggest(name, [...this.names.variables, ...this.names.tasks, ...SLOT_ROOTS])
    );
  }

  private problem(sentence: string): undefined {
    this.problems.push(sentence);
    return undefined;
  }
}

/** The cure for a known name with a hyphen that stands bare in an expression, where CEL takes the hyphen for a minus; empty when there is none. */
export function hyphenHint(source: string, { tasks, variables }: KnownNames): string {
  for (const [root, names] of [["tasks", tasks] as const, ["vars", variables] as const]) {
    for (const name of names) {
      if (name.includes("-") && new RegExp(`(^|[^\\w"'-])${name}(?![\\w"'-])`).test(source))
        return `; a name with a hyphen is written ${root}["${name}"]`;
    }
  }
  return "";
}

type ExprOf<Case extends string> = Extract<Expr["exprKind"], { case: Case }>["value"];

function isRoot(name: string): name is SlotRoot {
  return (SLOT_ROOTS as readonly string[]).includes(name);
}

/** `a.b["c"][0]` as a name and keys; undefined for anything that does not begin with a name or has a computed key. */
function readChain(expr: Expr): { name: string; path: (string | number)[] } | undefined {
  const path: (string | number)[] = [];
  let node: Expr | undefined = expr;
  while (node !== undefined) {
    const { exprKind }: Expr = node;
    if (exprKind.case === "identExpr") return { name: exprKind.value.name, path: path.reverse() };
    if (exprKind.case === "selectExpr" && !exprKind.value.testOnly) {
      path.push(exprKind.value.field);
      node = exprKind.value.operand;
    } else if (
      exprKind.case === "callExpr" &&
      exprKind.value.function === "_[_]" &&
      exprKind.value.target === undefined
    ) {
      const key = constantKey(exprKind.value.args[1]);
      if (key === undefined) return undefined;
      path.push(key);
      node = exprKind.value.args[0];
    } else return undefined;
  }
  return undefined;
}

function constantKey(expr: Expr | undefined): string | number | undefined {
  if (expr?.exprKind.case !== "constExpr") return undefined;
  const { constantKind } = expr.exprKind.value;
  if (constantKind.case === "stringValue") return constantKind.value;
  return constantKind.case === "int64Value" && constantKind.value >= 0n ? Number(constantKind.value) : undefined;
}

/** `strings` of `strings.quote(x)`: a target that is only a name. */
function namespaceOf(target: Expr): string | undefined {
  return target.exprKind.case === "identExpr" ? target.exprKind.value.name : undefined;
}

/** `x.a["b"]` on a bound name as one call; the library would look for the names `x.a.b` and `x.a` first, in every pass. */
function getCall(expr: Expr, name: string, path: readonly (string | number)[]): Expr["exprKind"] {
  const ident: Expr = { ...expr, exprKind: { case: "identExpr", value: { $typeName: "cel.expr.Expr.Ident", name } } };
  const keys = path.map((key) =>
    constant(
      expr,
      typeof key === "string" ? { case: "stringValue", value: key } : { case: "int64Value", value: BigInt(key) },
    ),
  );
  return {
    case: "callExpr",
    value: { $typeName: "cel.expr.Expr.Call", function: GET_FUNCTION, args: [ident, ...keys] },
  };
}

function stepCall(weight: number, condition: Expr): Expr {
  const args = [constant(condition, { case: "int64Value", value: BigInt(weight) }), condition];
  return {
    ...condition,
    exprKind: { case: "callExpr", value: { $typeName: "cel.expr.Expr.Call", function: STEP_FUNCTION, args } },
  };
}

function constant(near: Expr, constantKind: ExprOf<"constExpr">["constantKind"]): Expr {
  return { ...near, exprKind: { case: "constExpr", value: { $typeName: "cel.expr.Constant", constantKind } } };
}
