/**
 * The syntax tree of an expression. Macros (`map`, `filter`, `all`, …) are loops; `has(x.y)` is a select with `test`.
 */
import type { Value } from "../values/values.ts";

/** A node of the tree. `at` is the offset in the source, in UTF-16 units. */
export type Expr = ConstantExpr | SlotExpr | NameExpr | SelectExpr | CallExpr | ListExpr | MapExpr | LoopExpr;

/** A literal. */
export interface ConstantExpr {
  readonly kind: "constant";
  readonly value: Value;
  readonly at: number;
}

/**
 * The value of a path that was looked up before the evaluation. The parser creates none; the analysis replaces names
 * with them.
 */
export interface SlotExpr {
  readonly kind: "slot";
  readonly index: number;
  readonly at: number;
}

/** A name. `absolute` if it has a leading dot: then it never refers to a loop variable. */
export interface NameExpr {
  readonly kind: "name";
  readonly name: string;
  readonly absolute: boolean;
  readonly at: number;
}

/** `operand.field`; with `test`, `has(operand.field)`. */
export interface SelectExpr {
  readonly kind: "select";
  readonly operand: Expr;
  readonly field: string;
  readonly test: boolean;
  readonly at: number;
}

/** An operator (`_+_`, `_[_]`, `_?_:_`, `-_`, `@in` …), a function, or, with a target, a method. */
export interface CallExpr {
  readonly kind: "call";
  readonly name: string;
  readonly target: Expr | null;
  readonly args: readonly Expr[];
  readonly at: number;
}

/** `[a, b]`. */
export interface ListExpr {
  readonly kind: "list";
  readonly elements: readonly Expr[];
  readonly at: number;
}

/** `{k: v}`. With a name, it is a protobuf message, which is not supported. */
export interface MapExpr {
  readonly kind: "map";
  readonly message: string | null;
  readonly entries: readonly (readonly [Expr, Expr])[];
  readonly at: number;
}

/** The loop macros. */
export type LoopMacro = "all" | "exists" | "exists_one" | "map" | "filter" | "reduce";

/** A loop over a list or over the keys of a map. */
export interface LoopExpr {
  readonly kind: "loop";
  readonly macro: LoopMacro;
  readonly range: Expr;
  readonly variable: string;
  /** `reduce`: the name of the accumulator and its initial value. */
  readonly accumulator: { readonly name: string; readonly start: Expr } | null;
  /** `filter`, and `map` with three arguments: which elements are included. */
  readonly condition: Expr | null;
  /** What each iteration computes. For `filter`, the element. */
  readonly step: Expr;
  readonly at: number;
}

/** A syntax error and its position. */
export class SyntaxProblem extends Error {
  /** Offset in the source, UTF-16 units. */
  readonly at: number;

  constructor(at: number, message: string) {
    super(message);
    this.at = at;
  }
}
