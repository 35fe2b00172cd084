import type { RetryClass } from "../service-policy.ts";
import type { Target } from "../target.ts";
import type { Step } from "./path.ts";

/**
 * Makes failures final that the operator of a service does not want to be retried. It stands before the breaker, which
 * counts them all the same; a call that is deferred was not made.
 */
export function withRetryClass(classOf: (target: Target) => RetryClass): Step {
  return async (current, next) => {
    const outcome = await next(current);
    if (current.target.service === "" || outcome.ok || outcome.deferMs !== undefined || !outcome.error.retryable)
      return outcome;
    const retry = classOf(current.target);
    const mayRepeat = retry === "task" || (retry === "safe" && (current.isSafe || outcome.error.noEffect === true));
    if (mayRepeat) return outcome;
    const { nextRetryDelayMs: _, ...error } = outcome.error;
    return { ...outcome, error: { ...error, retryable: false } };
  };
}
