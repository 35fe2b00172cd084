/** The syntax tree of an expression. Macros (`map`, `filter`, `all`, …) are loops; `has(x.y)` is a select that tests. */
import type { Value } from "../values/values.ts";

/** A node of the tree. `at` is the offset in the source, in UTF-16 units. */
export type Expr = ConstantExpr | SlotExpr | NameExpr | SelectExpr | CallExpr | ListExpr | MapExpr | LoopExpr;

/** A literal. */
export interface ConstantExpr {
  readonly kind: "constant";
  readonly value: Value;
  readonly at: number;
}

/** What was found for a path before the evaluation. The parser makes none; the analysis puts them in the place of names. */
export interface SlotExpr {
  readonly kind: "slot";
  readonly index: number;
  readonly at: number;
}

/** A name. `absolute` when a dot leads it: then it is never the variable of a loop. */
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

/** An operator (`_+_`, `_[_]`, `_?_:_`, `-_`, `@in` …), a function, or a method when it has a target. */
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

/** `{k: v}`; with a name, a message of protobuf, which does not exist here. */
export interface MapExpr {
  readonly kind: "map";
  readonly message: string | null;
  readonly entries: readonly (readonly [Expr, Expr])[];
  readonly at: number;
}

/** The macros that loop. */
export type LoopMacro = "all" | "exists" | "exists_one" | "map" | "filter" | "reduce";

/** A loop over a list, or over the keys of a map. */
export interface LoopExpr {
  readonly kind: "loop";
  readonly macro: LoopMacro;
  readonly range: Expr;
  readonly variable: string;
  /** `reduce`: the name of the value so far, and what it is at first. */
  readonly accumulator: { readonly name: string; readonly start: Expr } | null;
  /** `filter`, and `map` with three arguments: which elements count. */
  readonly condition: Expr | null;
  /** What each pass computes. For `filter`, the element. */
  readonly step: Expr;
  readonly at: number;
}

/** Why a source cannot be read, and where. */
export class SyntaxProblem extends Error {
  /** Offset in the source, UTF-16 units. */
  readonly at: number;

  constructor(at: number, message: string) {
    super(message);
    this.at = at;
  }
}
