/** The steps that defer a call before it reaches the tool: breaker and bulkhead. */
import { BrokenCircuitError, BulkheadRejectedError, CircuitState, TaskCancelledError } from "cockatiel";
import type { Clock } from "../../base/time/clock.ts";
import type { Outcome } from "../../engine/ports/tools.ts";
import { abortedOutcome, deferredOutcome } from "../outcome.ts";
import type { Target } from "../target.ts";
import type { Step } from "./path.ts";

/** How long a call is deferred when all slots and the queue are full, milliseconds. */
const FULL_DEFER_MS = 1_000;

/**
 * Defers calls while the breaker is open, and lets one probe through after the open time. A call that has been deferred
 * for `maxDeferMs` is made regardless of the breaker. Otherwise a task that always fails would wait for one probe after
 * the other, and its run would never end.
 */
export function withBreaker(clock: Clock, maxDeferMs: number): Step {
  return async (current, next) => {
    const { call, target } = current;
    if (call.waitedMs >= maxDeferMs && target.breaker.state !== CircuitState.Closed) return next(current);
    // A call that arrives during a probe would wait inside the policy for the probe to end, ignoring its own signal.
    if (target.breaker.state === CircuitState.HalfOpen) return refuseOpen(target, 0);
    try {
      return await target.breaker.execute(() => next(current));
    } catch (error) {
      if (error instanceof BrokenCircuitError) return refuseOpen(target, target.reopensAt - clock.now());
      throw error;
    }
  };
}

function refuseOpen(target: Target, leftMs: number): Outcome {
  return defer(
    "BREAKER_OPEN",
    `calls of ${describe(target)} keep failing; the next one is made`,
    Math.max(leftMs, 500),
  );
}

/** Limits concurrent calls; the others queue in order of arrival. */
export function withBulkhead(): Step {
  return async (current, next) => {
    const { target, signal } = current;
    const mustQueue = target.bulkhead.executionSlots === 0;
    try {
      const ended = target.bulkhead.execute(() => next(current), signal);
      return mustQueue ? await untilAborted(ended, signal) : await ended;
    } catch (error) {
      if (error instanceof BulkheadRejectedError) {
        return defer(
          "BULKHEAD_FULL",
          `${describe(target)} has as many calls under way and queued as it may; the next one is made`,
          FULL_DEFER_MS,
        );
      }
      if (error instanceof TaskCancelledError) return abortedOutcome(signal, true);
      throw error;
    }
  };
}

/** The policy checks the signal of a queued call only when the call leaves the queue. */
async function untilAborted(ended: Promise<Outcome>, signal: AbortSignal): Promise<Outcome> {
  const { promise, resolve } = Promise.withResolvers<Outcome>();
  const onAbort = () => resolve(abortedOutcome(signal));
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await Promise.race([ended, promise]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

function describe({ origin, flowId, task }: Target): string {
  return `task ${task} of flow ${flowId} to ${origin}`;
}

function defer(type: string, sentence: string, leftMs: number): Outcome {
  const deferMs = spread(leftMs);
  return deferredOutcome(type, `${sentence} in ${Math.ceil(deferMs / 100) / 10} s`, deferMs, true);
}

/** Adds up to a quarter, so that calls that were deferred together do not come back at once. */
function spread(ms: number): number {
  return Math.ceil(ms * (1 + Math.random() / 4));
}
