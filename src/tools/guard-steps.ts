/** The steps that put a call off before it reaches the tool: pause, breaker, bulkhead. */

import { BrokenCircuitError, BulkheadRejectedError, CircuitState, TaskCancelledError } from "cockatiel";
import type { Clock } from "../base/clock.ts";
import type { Outcome } from "../engine/machine/events.ts";
import { abortedOutcome, deferredOutcome, type FailedOutcome, MAX_ASKED_DELAY_MS } from "./outcome.ts";
import type { Step } from "./path.ts";
import type { Target } from "./target.ts";

/** How long a call is put off when all places and the queue are taken, milliseconds. */
const FULL_DEFER_MS = 1_000;
/** Pause after a 429 that does not say for how long; doubles with each in a row, milliseconds. */
const FIRST_PAUSE_MS = 1_000;
const MAX_PAUSE_MS = 60_000;

/** Puts calls off while the target asked for a pause, and notes such answers: outcomes with `deferMs`, 0 when the tool did not say how long. */
export function withPause(clock: Clock): Step {
  return async (inHand, next) => {
    const { target } = inHand;
    const left = target.pausedUntil - clock.now();
    if (left > 0) return putOff("TARGET_PAUSED", `${target.name} asked not to be called before`, left);
    const outcome = await next(inHand);
    if (outcome.ok || outcome.deferMs === undefined || outcome.error.noEffect === true) {
      if (target.pauses > 0 && target.pausedUntil <= clock.now()) target.pauses = 0;
      return outcome;
    }
    return pause(target, outcome, outcome.deferMs, clock);
  };
}

function pause(target: Target, outcome: FailedOutcome, askedMs: number, clock: Clock): Outcome {
  const ownMs = Math.min(FIRST_PAUSE_MS * 2 ** target.pauses, MAX_PAUSE_MS);
  const pauseMs = askedMs > 0 ? Math.min(askedMs, MAX_ASKED_DELAY_MS) : ownMs;
  // Calls that were under way together are answered 429 together: that is one pause, not many.
  if (target.pausedUntil <= clock.now()) target.pauses += 1;
  target.pausedUntil = Math.max(target.pausedUntil, clock.now() + pauseMs);
  return deferredOutcome(outcome.error.type, outcome.error.message, spread(pauseMs), false);
}

/** Puts calls off while the breaker is open; lets one probe through when its time is over. */
export function withBreaker(clock: Clock): Step {
  return async (inHand, next) => {
    const { target } = inHand;
    // A call that came beside the probe would wait for its end inside the policy, deaf to its own signal.
    if (target.breaker.state === CircuitState.HalfOpen) return refuseOpen(target, 0);
    try {
      return await target.breaker.execute(() => next(inHand));
    } catch (error) {
      if (error instanceof BrokenCircuitError) return refuseOpen(target, target.reopensAt - clock.now());
      throw error;
    }
  };
}

function refuseOpen(target: Target, leftMs: number): Outcome {
  return putOff(
    "BREAKER_OPEN",
    `calls to ${target.name} fail, so it is left alone; the next try is made`,
    Math.max(leftMs, 500),
  );
}

/** Bounds the calls under way to a target; the others queue in order of arrival. */
export function withBulkhead(): Step {
  return async (inHand, next) => {
    const { target, signal } = inHand;
    const mustQueue = target.bulkhead.executionSlots === 0;
    try {
      const ended = target.bulkhead.execute(() => next(inHand), signal);
      return mustQueue ? await untilAborted(ended, signal) : await ended;
    } catch (error) {
      if (error instanceof BulkheadRejectedError) {
        return putOff(
          "BULKHEAD_FULL",
          `${target.name} has as many calls as it may; the next try is made`,
          FULL_DEFER_MS,
        );
      }
      if (error instanceof TaskCancelledError) return abortedOutcome(signal, true);
      throw error;
    }
  };
}

/** The policy looks at the signal of a queued call only when its turn comes. */
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

function putOff(type: string, sentence: string, leftMs: number): Outcome {
  const deferMs = spread(leftMs);
  return deferredOutcome(type, `${sentence} in ${Math.ceil(deferMs / 100) / 10} s`, deferMs, true);
}

/** Up to a quarter longer, so that what was put off together does not come back in one moment. */
function spread(ms: number): number {
  return Math.ceil(ms * (1 + Math.random() / 4));
}
