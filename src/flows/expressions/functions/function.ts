/**
 * How functions and operators are defined. Each has a name, a line for the documentation, and overloads: parameter
 * types, the steps that a call charges *before* it works, and the work. Every call costs one step; `cost` charges the
 * rest, which is always at least proportional to the work.
 */
import type { Kind, KindTypes, Value } from "../values/values.ts";

type Args<Params extends readonly Kind[]> = { [Index in keyof Params]: KindTypes[Params[Index]] };

/** One way to call a function. */
export interface Overload {
  /** Types of the arguments; the first one is the target of methods. */
  readonly params: readonly Kind[];
  /** The last type may be repeated any number of times. */
  readonly variadic: boolean;
  readonly result: Kind;
  /** Charges steps; runs before `run`. Null: the step of the call is enough. */
  readonly cost: ((...args: readonly Value[]) => void) | null;
  readonly run: (...args: readonly Value[]) => Value;
}

/** How a function is called: `name(a)`, `a.name(b)`, or as an operator. */
export type Form = "function" | "method" | "operator";

export interface FunctionDefinition {
  /** `size`, `math.abs`, or the name of an operator in the syntax tree (`_+_`). */
  readonly name: string;
  readonly form: Form;
  /** One line for the documentation: a sentence. */
  readonly doc: string;
  readonly overloads: readonly Overload[];
}

/** An overload whose work does not depend on the size of its arguments. */
export function constant<const Params extends readonly Kind[], Result extends Kind>(
  params: Params,
  result: Result,
  run: (...args: Args<Params>) => KindTypes[Result],
): Overload {
  return { params, variadic: false, result, cost: null, run: run as unknown as Overload["run"] };
}

/** An overload with a cost. */
export function costing<const Params extends readonly Kind[], Result extends Kind>(
  params: Params,
  result: Result,
  cost: (...args: Args<Params>) => void,
  run: (...args: Args<Params>) => KindTypes[Result],
): Overload {
  return {
    params,
    variadic: false,
    result,
    cost: cost as unknown as NonNullable<Overload["cost"]>,
    run: run as unknown as Overload["run"],
  };
}

/** An overload that takes any number of arguments of its last type. Each argument costs a step. */
export function variadic(kind: Kind, result: Kind, run: (args: readonly Value[]) => Value): Overload {
  return { params: [kind], variadic: true, result, cost: null, run: (...args) => run(args) };
}

/** A function `name(a, b)`. */
export function defineFunction(name: string, doc: string, ...overloads: readonly Overload[]): FunctionDefinition {
  return { name, form: "function", doc, overloads };
}

/** A method `a.name(b)`. */
export function defineMethod(name: string, doc: string, ...overloads: readonly Overload[]): FunctionDefinition {
  return { name, form: "method", doc, overloads };
}

/** An operator, by its name in the syntax tree. */
export function defineOperator(name: string, doc: string, ...overloads: readonly Overload[]): FunctionDefinition {
  return { name, form: "operator", doc, overloads };
}
