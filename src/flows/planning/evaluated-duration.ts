/** Durations that a flow writes as `${…}`. */

import type { Json } from "../../base/json/json.ts";
import { DURATION_FORM, parseDurationMs, unitsProblem, ZERO_TIMEOUT } from "../../base/time/duration.ts";
import { describeValue } from "../../tasks/schema/describe-issue.ts";
import type { Scope, Template } from "../plan.ts";

/** Like {@link evaluateDurationMs}, for a timeout: 0 is refused, as in a constant. */
export function evaluateTimeoutMs(duration: Template, scope: Scope): number {
  const ms = evaluateDurationMs(duration, scope);
  if (ms === 0) throw new Error(ZERO_TIMEOUT);
  return ms;
}

/**
 * Evaluates a duration to milliseconds: a number of seconds or text with units, as in a constant. Throws what the
 * expression throws, and for any other value.
 */
export function evaluateDurationMs(duration: Template, scope: Scope): number {
  const value: Json = duration.evaluate(scope);
  try {
    if (typeof value === "number" || typeof value === "string") return parseDurationMs(value);
  } catch {
    // INVALID_REQUEST is about requests; here an expression is at fault.
  }
  throw new Error(unitsProblem(value) ?? `expected a duration: ${DURATION_FORM}; got ${describeValue(value)}`);
}
