import { type CelValue, celError, isCelError, parse, plan } from "@bufbuild/cel";
import { fail } from "../base/errors.ts";
import type { Json } from "../base/json.ts";
import { environment } from "./cel-environment.ts";
import { charge, chargeWeight, MAX_STEPS, StepsUsedUp, withMeter } from "./cel-meter.ts";
import { fromCelValue, toCelValue, weightOf } from "./cel-values.ts";
import type { Scope } from "./plan.ts";
import { compileQuick, type QuickExpression } from "./quick-expression.ts";
import { analyseExpression, hyphenHint, type KnownNames, type Slot, slotName } from "./references.ts";

/** The longest expression, characters. */
const MAX_EXPRESSION_LENGTH = 4_096;

/** An expression, compiled once. */
export interface Expression {
  readonly source: string;
  /** What it reads. */
  readonly slots: readonly Slot[];
  /** Its value. Throws EXPRESSION_FAILED or EXPRESSION_TOO_COSTLY. Pure. */
  evaluate(scope: Scope): Json;
}

/** What compiling gave: the expression, or the problems that stand in the way. */
export type CompiledExpression = Expression | { readonly problems: readonly string[] };

/** Expressions by flow (its names stand for it), so that checking and planning compile each one once. */
const compiled = new WeakMap<KnownNames, Map<string, CompiledExpression>>();

/** Compiles CEL for a flow. */
export function compileExpression(source: string, names: KnownNames): CompiledExpression {
  let ofFlow = compiled.get(names);
  if (ofFlow === undefined) {
    ofFlow = new Map();
    compiled.set(names, ofFlow);
  }
  let expression = ofFlow.get(source);
  if (expression === undefined) {
    expression = compileAnew(source, names);
    ofFlow.set(source, expression);
  }
  return expression;
}

function compileAnew(source: string, names: KnownNames): CompiledExpression {
  if (source.trim() === "") return { problems: ["the expression is empty"] };
  if (source.length > MAX_EXPRESSION_LENGTH)
    return { problems: [`the expression has ${source.length} characters; the limit is ${MAX_EXPRESSION_LENGTH}`] };
  let parsed: ReturnType<typeof parse>;
  try {
    parsed = parse(source);
  } catch (cause) {
    return { problems: [explainParseError(cause, source) + hyphenHint(source, names)] };
  }
  const { slots, problems } = analyseExpression(parsed.expr, source, names);
  if (problems.length > 0) return { problems };
  const [only] = slots;
  if (only !== undefined && slots.length === 1 && isBareSlot(parsed.expr)) {
    return { source, slots, evaluate: (scope) => withMeter(() => readAlone(only, scope, source)) };
  }
  const run = plan(environment, parsed.expr);
  const quick = compileQuick(parsed.expr, (name) => slots.findIndex((_, index) => slotName(index) === name));
  if (quick === undefined)
    return { source, slots, evaluate: (scope) => withMeter(() => evaluatePlanned(run, slots, scope, source)) };
  const evaluate = (scope: Scope): Json =>
    evaluateQuick(quick, slots, scope, source) ?? evaluatePlanned(run, slots, scope, source);
  return { source, slots, evaluate: (scope) => withMeter(() => evaluate(scope)) };
}

function evaluateQuick(
  quick: QuickExpression,
  slots: readonly Slot[],
  scope: Scope,
  source: string,
): number | boolean | undefined {
  const value = quick.evaluate((index) => lookUp(slots[index] as Slot, scope));
  if (value === undefined) return undefined;
  try {
    charge(quick.steps);
  } catch (cause) {
    failCostly(cause, source);
  }
  return value;
}

type Planned = (bindings: Record<string, unknown>) => unknown;

function evaluatePlanned(run: unknown, slots: readonly Slot[], scope: Scope, source: string): Json {
  // Without a prototype: CEL looks names up as properties.
  const bindings: Record<string, unknown> = Object.create(null);
  for (let index = 0; index < slots.length; index++) {
    const found = lookUp(slots[index] as Slot, scope);
    bindings[slotName(index)] =
      typeof found === "object" && found instanceof Missing ? celError(found.problem) : toCelValue(found);
  }
  try {
    const result = (run as Planned)(bindings);
    if (isCelError(result)) {
      if (result.cause instanceof StepsUsedUp) throw result.cause;
      return fail("EXPRESSION_FAILED", { expression: shorten(source), problem: result.message });
    }
    return fromCelValue(result as CelValue, { charge, chargeWeight, textOf });
  } catch (cause) {
    if (cause instanceof StepsUsedUp) return failCostly(cause, source);
    if (cause instanceof Error && "code" in cause) throw cause;
    return fail(
      "EXPRESSION_FAILED",
      { expression: shorten(source), problem: cause instanceof Error ? cause.message : String(cause) },
      { cause },
    );
  }
}

function readAlone(slot: Slot, scope: Scope, source: string): Json {
  const found = lookUp(slot, scope);
  if (typeof found === "object" && found instanceof Missing)
    return fail("EXPRESSION_FAILED", { expression: shorten(source), problem: found.problem });
  // Lists of lists of what came before double with every task: the size counts as if it were copied.
  chargeFor(source, found);
  return found;
}

/** Takes the size of a value that `source` gave off the meter. Throws EXPRESSION_TOO_COSTLY. */
export function chargeFor(source: string, value: Json): void {
  try {
    chargeWeight(weightOf(value));
  } catch (cause) {
    failCostly(cause, source);
  }
}

function failCostly(cause: unknown, source: string): never {
  if (!(cause instanceof StepsUsedUp)) throw cause;
  return fail("EXPRESSION_TOO_COSTLY", { expression: shorten(source), limit: MAX_STEPS });
}

/** A path that leads nowhere. */
class Missing {
  readonly problem: string;

  constructor(problem: string) {
    this.problem = problem;
  }
}

function lookUp(slot: Slot, scope: Scope): Json | Missing {
  const { path } = slot;
  let value: Json | undefined;
  let start = 0;
  if (slot.root === "tasks") {
    value = scope.task(path[0] as string);
    start = 1;
    if (value === undefined) return new Missing(`there is no task "${path[0]}"`);
    const field = path[1];
    if (field !== undefined && !Object.hasOwn(value as object, field)) {
      if (path.length === 2) return null;
      return new Missing(`tasks.${path[0]}.${field} is null; it has no "${path[2]}"`);
    }
  } else if (slot.root === "deps") {
    value = scope.first;
    start = 1;
  } else {
    value = scope[slot.root];
  }
  if (value === undefined) return new Missing(`${slot.root === "deps" ? "deps.first" : slot.root} does not exist here`);
  for (let index = start; index < path.length; index++) {
    const key = path[index] as string | number;
    if (
      typeof value !== "object" ||
      value === null ||
      (Array.isArray(value) ? typeof key !== "number" : typeof key !== "string") ||
      !Object.hasOwn(value, key)
    ) {
      return new Missing(describeMissing(slot, index, value));
    }
    value = (value as Readonly<Record<string | number, Json>>)[key] as Json;
  }
  return value;
}

function describeMissing(slot: Slot, index: number, value: Json): string {
  const place = [slot.root, ...slot.path.slice(0, index)].join(".");
  const key = JSON.stringify(slot.path[index]);
  if (value === null) return `${place} is null; it has no ${key}`;
  if (Array.isArray(value)) return `${place} is a list of ${value.length}; it has no element ${key}`;
  return typeof value === "object" ? `${place} has no ${key}` : `${place} is a ${typeof value}; it has no ${key}`;
}

function isBareSlot(expr: ReturnType<typeof parse>["expr"]): boolean {
  return expr.exprKind.case === "identExpr" && expr.exprKind.value.name === slotName(0);
}

function textOf(value: CelValue): string {
  const text = environment.funcs.find("string")?.call(0, undefined, [value]);
  if (typeof text !== "string") throw new Error("the result has no form in JSON");
  return text;
}

function shorten(source: string): string {
  return source.length > 200 ? `${source.slice(0, 197)}…` : source;
}

function explainParseError(cause: unknown, source: string): string {
  if (cause instanceof RangeError) return "the expression nests too deep";
  const message = cause instanceof Error ? cause.message : String(cause);
  const place = /<input>:(\d+):(\d+): (.*)$/s.exec(message);
  if (place === null) return `the expression cannot be read: ${message}`;
  const [, , column, text] = place;
  const found = (text ?? "").replace(/ but expecting .*$/s, "");
  const reserved = found.startsWith("reserved")
    ? '; a task or variable of that name is written tasks["name"] or vars["name"]'
    : "";
  return `the expression cannot be read at character ${column} ("${source.slice(Math.max(0, Number(column) - 1), Number(column) + 15)}"): ${found}${reserved}`;
}
