import { fail } from "../../base/errors.ts";
import type { Json } from "../../base/json/json.ts";
import { MAX_JSON_DEPTH } from "../../base/json/json-parse.ts";
import { compileTree, type Program } from "../expressions/evaluator.ts";
import { parseExpression } from "../expressions/language/parser.ts";
import { type Expr, SyntaxProblem } from "../expressions/language/syntax.ts";
import { depthOf, toJson, toValue, weightOf } from "../expressions/values/json.ts";
import { charge, chargeWeight, MAX_STEPS, StepsUsedUp, withMeter } from "../expressions/values/meter.ts";
import { makeTimestamp } from "../expressions/values/time.ts";
import { ExpressionError, type Value } from "../expressions/values/values.ts";
import type { Scope } from "../plan.ts";
import { compileQuick, type QuickExpression } from "./quick-expression.ts";
import { analyseExpression, hyphenHint, type KnownNames, type Slot } from "./references.ts";

/** Maximum length of an expression, characters. */
const MAX_EXPRESSION_LENGTH = 4_096;

export interface Expression {
  readonly source: string;
  /** What it reads. */
  readonly slots: readonly Slot[];
  /** Evaluates the expression. Throws EXPRESSION_FAILED or EXPRESSION_TOO_COSTLY. Pure. */
  evaluate(scope: Scope): Json;
}

/** Result of compiling: the expression, or the problems that prevent it. */
export type CompiledExpression = Expression | { readonly problems: readonly string[] };

/** Expressions by flow (identified by its names), so that checking and planning compile each one only once. */
const compiled = new WeakMap<KnownNames, Map<string, CompiledExpression>>();

/** Compiles a CEL expression of a flow. */
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
  let parsed: Expr;
  try {
    parsed = parseExpression(source);
  } catch (cause) {
    if (!(cause instanceof SyntaxProblem)) throw cause;
    const problem = `the expression cannot be read ${showPlace(source, cause.at)}: ${cause.message}`;
    return { problems: [problem + hyphenHint(source, names)] };
  }
  const { tree, slots, problems } = analyseExpression(parsed, source, names);
  if (problems.length > 0) return { problems };
  const [only] = slots;
  if (only !== undefined && tree.kind === "slot") {
    return { source, slots, evaluate: (scope) => withMeter(() => readAlone(only, scope, source)) };
  }
  const program = compileTree(tree, slots.length);
  const quick = compileQuick(tree);
  if (quick === undefined)
    return { source, slots, evaluate: (scope) => withMeter(() => evaluateProgram(program, slots, scope, source)) };
  const evaluate = (scope: Scope): Json =>
    evaluateQuick(quick, slots, scope, source) ?? evaluateProgram(program, slots, scope, source);
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

function evaluateProgram(program: Program, slots: readonly Slot[], scope: Scope, source: string): Json {
  const values: (Value | ExpressionError)[] = [];
  for (const slot of slots) {
    const found = lookUp(slot, scope);
    values.push(typeof found === "object" && found instanceof Missing ? missing(found) : toValue(found));
  }
  try {
    return toJson(
      program(values, scope.now === undefined ? null : makeTimestamp(BigInt(Math.floor(scope.now)) * 1_000_000n)),
    );
  } catch (cause) {
    if (cause instanceof StepsUsedUp) return failCostly(cause, source);
    // A list nested ten thousand times: comparisons and conversions recurse into it.
    if (cause instanceof RangeError)
      return fail(
        "EXPRESSION_FAILED",
        { expression: shorten(source), problem: "a value in it nests too deep" },
        { cause },
      );
    if (!(cause instanceof ExpressionError)) throw cause;
    const place = cause.at < 0 ? "" : `${showPlace(source, cause.at)}: `;
    return fail("EXPRESSION_FAILED", { expression: shorten(source), problem: `${place}${cause.message}` });
  }
}

/** The error for a path that does not exist. It names the path, so it needs no position. */
function missing({ problem }: Missing): ExpressionError {
  return new ExpressionError(problem);
}

function readAlone(slot: Slot, scope: Scope, source: string): Json {
  const found = lookUp(slot, scope);
  if (typeof found === "object" && found instanceof Missing)
    return fail("EXPRESSION_FAILED", { expression: shorten(source), problem: found.problem });
  if (depthOf(found) > MAX_JSON_DEPTH) {
    const problem = `the result nests deeper than ${MAX_JSON_DEPTH} levels`;
    return fail("EXPRESSION_FAILED", { expression: shorten(source), problem });
  }
  // Lists of lists of earlier outputs double with every task: charge the size as if the value were copied.
  chargeFor(source, found);
  return found;
}

/** Charges the size of the value of `source`. Throws EXPRESSION_TOO_COSTLY. */
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

/** A path that does not exist. */
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

function shorten(source: string): string {
  return source.length > 200 ? `${source.slice(0, 197)}…` : source;
}

/** `at character 7 ("+ s")`. */
function showPlace(source: string, at: number): string {
  const position = at === source.length ? "its end" : `character ${at + 1}`;
  const piece = source.slice(at, at + 16);
  return `at ${position}${piece === "" ? "" : ` (${JSON.stringify(piece.toWellFormed())})`}`;
}
