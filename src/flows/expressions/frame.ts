/** The data that compiled nodes work on. */

import type { Expr } from "./language/syntax.ts";
import { charge } from "./values/meter.ts";
import { ExpressionError, kindOf, type Timestamp, type Value } from "./values/values.ts";

/** The state of one evaluation. */
export interface Frame {
  /** Slots, then loop variables. An error stands for a slot that does not exist. */
  readonly values: (Value | ExpressionError)[];
  readonly now: Timestamp | null;
  /** Offset of the current operation, for messages. */
  at: number;
}

/** A compiled node. */
export type Evaluate = (frame: Frame) => Value;

/** The variables of the enclosing loops, with their indexes in the frame, and the next free index. */
export interface Variables {
  readonly places: ReadonlyMap<string, number>;
  readonly next: number;
}

/** Compiles a node inside loops with the given variables. */
export type Compile = (expr: Expr, variables: Variables) => Evaluate;

/** Cost in steps of an absorbed error: it is created, thrown, and caught. */
const ERROR_STEPS = 20;

/** Returns the value, or the error instead of it. */
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

/** Records in an error where it happened, unless it is already recorded. */
export function locate(cause: unknown, frame: Frame): unknown {
  if (cause instanceof ExpressionError && cause.at < 0) cause.at = frame.at;
  return cause;
}

/** The error for a value that must be a bool. */
export function notBool(what: string, value: Value, at: number): ExpressionError {
  const error = new ExpressionError(
    `${what} needs true or false, not a value of type ${kindOf(value)}; compare it with something`,
  );
  error.at = at;
  return error;
}
