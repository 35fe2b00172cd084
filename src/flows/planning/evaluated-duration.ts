/** Durations that a flow writes as `${…}`. */

import type { Json } from "../../base/json/json.ts";
import { DURATION_FORM, parseDurationMs, unitsProblem, ZERO_TIMEOUT } from "../../base/time/duration.ts";
import { describeValue } from "../../tasks/schema/describe-issue.ts";
import type { Scope, Template } from "../plan.ts";

/** Like {@link evaluateDurationMs}, for a timeout: 0 is refused, as it is where it is written. */
export function evaluateTimeoutMs(duration: Template, scope: Scope): number {
  const ms = evaluateDurationMs(duration, scope);
  if (ms === 0) throw new Error(ZERO_TIMEOUT);
  return ms;
}

/** Milliseconds that a duration evaluates to: a number of seconds or text with units, as it may be written. Throws what the expression throws, and for any other value. */
export function evaluateDurationMs(duration: Template, scope: Scope): number {
  const value: Json = duration.evaluate(scope);
  try {
    if (typeof value === "number" || typeof value === "string") return parseDurationMs(value);
  } catch {
    // INVALID_REQUEST speaks of requests; here an expression is to blame.
  }
  throw new Error(unitsProblem(value) ?? `expected a duration: ${DURATION_FORM}; got ${describeValue(value)}`);
}
