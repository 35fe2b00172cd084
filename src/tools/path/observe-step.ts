import type { Log } from "../../base/log.ts";
import type { Clock } from "../../base/time/clock.ts";
import type { Outcome, TaskTypeName } from "../../engine/ports/tools.ts";
import type { Step } from "./path.ts";

/** Metrics of calls; the telemetry layer has the implementation. */
export interface ToolMetrics {
  /**
   * A call ended. `result` is `ok`, `deferred`, or the stable type of the error; `seconds` is the time from the first
   * step to the last.
   */
  called(type: TaskTypeName, result: string, seconds: number): void;
  /** A breaker changed its state. */
  breakerChanged(state: "CLOSED" | "OPEN" | "HALF_OPEN"): void;
}

/** The outermost step: counts calls and logs failures. */
export function withObservation(metrics: ToolMetrics | undefined, log: Log, clock: Clock): Step {
  return async (current, next) => {
    const { call, target } = current;
    const startedAt = clock.monotonic();
    const outcome = await next(current);
    const durationMs = clock.monotonic() - startedAt;
    metrics?.called(call.type, resultOf(outcome), durationMs / 1_000);
    if (!outcome.ok) {
      const { type, message, retryable } = outcome.error;
      const { runId, tenantId, correlationId, path, attempt } = call;
      log.debug("call failed", {
        runId,
        tenantId,
        correlationId: correlationId || undefined,
        task: path,
        attempt,
        origin: target.origin,
        type,
        problem: message,
        retryable,
        durationMs,
      });
    }
    return outcome;
  };
}

function resultOf(outcome: Outcome): string {
  if (outcome.ok) return "ok";
  return outcome.deferMs === undefined ? outcome.error.type : "deferred";
}
