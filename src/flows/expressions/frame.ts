/** What compiled nodes work on. */

import type { Expr } from "./language/syntax.ts";
import { charge } from "./values/meter.ts";
import { ExpressionError, kindOf, type Timestamp, type Value } from "./values/values.ts";

/** The state of one evaluation. */
export interface Frame {
  /** Slots, then variables of loops. An error stands for a slot that leads nowhere. */
  readonly values: (Value | ExpressionError)[];
  readonly now: Timestamp | null;
  /** Offset of the operation under way, for messages. */
  at: number;
}

/** A compiled node. */
export type Evaluate = (frame: Frame) => Value;

/** The variables of the loops around a node, with their places in the frame, and the next free place. */
export interface Variables {
  readonly places: ReadonlyMap<string, number>;
  readonly next: number;
}

/** Compiles a node inside of the loops whose variables are given. */
export type Compile = (expr: Expr, variables: Variables) => Evaluate;

/** Steps for an error that is absorbed: it is made, thrown and caught. */
const ERROR_STEPS = 20;

/** The value, or the error in its place. */
export function attempt(evaluate: Evaluate, frame: Frame): Value | ExpressionError {
  try {
    return evaluate(frame);
  } catch (cause) {
    if (!(cause instanceof ExpressionError)) throw cause;
    locate(cause, frame);
    charge(ERROR_STEPS);
    return cause;
  }
}

/** Notes in an error where it happened, if it does not say so yet. */
export function locate(cause: unknown, frame: Frame): unknown {
  if (cause instanceof ExpressionError && cause.at < 0) cause.at = frame.at;
  return cause;
}

/** The error for a value that has to be a bool. */
export function notBool(what: string, value: Value, at: number): ExpressionError {
  const error = new ExpressionError(
    `${what} needs true or false, not a value of type ${kindOf(value)}; compare it with something`,
  );
  error.at = at;
  return error;
}
