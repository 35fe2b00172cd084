/** The steps that defer a call before it reaches the tool: breaker and bulkhead. */
import { BrokenCircuitError, CircuitState } from "cockatiel";
import type { Clock } from "../../base/time/clock.ts";
import type { ToolOverride } from "../../engine/ports/routing/tool-overrides.ts";
import type { Outcome } from "../../engine/ports/tools.ts";
import { abortedOutcome, deferredOutcome } from "../outcome.ts";
import { inSeconds, spread, stoppedOutcome } from "../stopped.ts";
import type { Target } from "../target.ts";
import type { Step } from "./path.ts";

/** How long a call is deferred when all slots and the queue are full, milliseconds. */
const FULL_DEFER_MS = 1_000;

/**
 * Defers calls while the breaker is open, and lets one probe through after the open time. A call that has been deferred
 * for the longest open time is made regardless of the breaker. Otherwise a task that always fails would wait for one
 * probe after the other, and its run would never end. A breaker that is forced stays so until its override ends.
 */
export function withBreaker(clock: Clock): Step {
  return async (current, next) => {
    const { call, target } = current;
    const { forcedBy } = target.rule();
    if (forcedBy?.breaker === "open") return refuseForced(target, forcedBy, call.waitedMs, clock.now());
    if (forcedBy?.breaker === "closed") return next(current);
    const { breaker } = target;
    if (call.waitedMs >= target.policy.maxOpenMs && breaker.state !== CircuitState.Closed) return next(current);
    // A call that arrives during a probe would wait inside the policy for the probe to end, ignoring its own signal.
    if (breaker.state === CircuitState.HalfOpen) return refuseOpen(target, 0);
    try {
      return await breaker.execute(() => next(current));
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

function refuseForced(target: Target, forcedBy: ToolOverride, waitedMs: number, now: number): Outcome {
  return stoppedOutcome(`calls of ${describe(target)}${scopeOf(forcedBy)}`, forcedBy, waitedMs, now);
}

/** A switch stops more than the calls of its target. */
function scopeOf({ service, origin, flowId, task }: ToolOverride): string {
  if (service !== "" || origin !== "" || task !== "") return "";
  return flowId === "" ? ", as all calls of the tenant," : ", as all calls of the flow,";
}

/** Limits concurrent calls; the others queue in order of arrival. */
export function withBulkhead(): Step {
  return async (current, next) => {
    const { target, signal } = current;
    const { slots } = target;
    const entering = slots.enter(signal);
    // A call that finds a slot goes on at once.
    const entered = typeof entering === "string" ? entering : await entering;
    if (entered === "aborted") return abortedOutcome(signal, true);
    if (entered === "full") {
      const sentence = `${describe(target)} has as many calls under way and queued as it may; the next one is made`;
      return defer("BULKHEAD_FULL", sentence, FULL_DEFER_MS);
    }
    try {
      return await next(current);
    } finally {
      // An override of the bounds may have ended.
      target.rule();
      slots.leave();
    }
  };
}

function describe({ origin, service, flowId, task }: Target): string {
  return `task ${task} of flow ${flowId} to ${service === "" ? origin : `service ${service} (${origin})`}`;
}

function defer(type: string, sentence: string, leftMs: number): Outcome {
  const deferMs = spread(leftMs);
  return deferredOutcome(type, inSeconds(sentence, deferMs), deferMs, true);
}
