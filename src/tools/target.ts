/**
 * Targets: what calls are aimed at, each with its breaker, its bulkhead and its pause. They live in memory only: a restart forgets them, and the
 * first calls find out again. Attempts and retries are in the journal and know nothing of them.
 */

import {
  type BulkheadPolicy,
  bulkhead,
  type CircuitBreakerPolicy,
  CircuitState,
  ConsecutiveBreaker,
  circuitBreaker,
  DelegateBackoff,
  handleWhenResult,
} from "cockatiel";
import type { Clock } from "../base/clock.ts";
import type { Outcome } from "../engine/machine/events.ts";

/** Limits per target. Durations in milliseconds. */
export interface TargetPolicy {
  /** Failures in a row (retryable ones; refusals of the request do not count) that open the breaker. */
  readonly failuresToOpen: number;
  /** How long the breaker stays open the first time; doubles with every failed probe up to `maxOpenMs`. */
  readonly openMs: number;
  readonly maxOpenMs: number;
  /** Calls at the same time. */
  readonly maxConcurrent: number;
  /** Calls that wait for one of them to end; more are put off. */
  readonly maxQueued: number;
}

/** Limits when nothing else is said. */
export const DEFAULT_TARGET_POLICY: TargetPolicy = {
  failuresToOpen: 10,
  openMs: 1_000,
  maxOpenMs: 30_000,
  maxConcurrent: 100,
  maxQueued: 1_000,
};

/** State of a breaker as callers see it. */
export type BreakerState = "CLOSED" | "OPEN" | "HALF_OPEN";

/** A target as callers see it. */
export interface BreakerView {
  readonly target: string;
  readonly state: BreakerState;
  /** When the next call may try, milliseconds since the epoch; null when calls go through now. */
  readonly reopensAt: number | null;
  readonly failuresInRow: number;
  readonly running: number;
  readonly queued: number;
  /** Until when the target asked not to be called (429), milliseconds since the epoch; null when it did not. */
  readonly pausedUntil: number | null;
}

/** A target in the hands of the call path. */
export interface Target {
  readonly name: string;
  readonly breaker: CircuitBreakerPolicy;
  readonly bulkhead: BulkheadPolicy;
  /** Until when calls are put off, milliseconds since the epoch; 0: not. */
  pausedUntil: number;
  /** Answers in a row that asked for a pause. */
  pauses: number;
  /** Until when the breaker lets nobody through, milliseconds since the epoch; meaningless while it is closed. */
  reopensAt: number;
  view(): BreakerView;
}

/** All targets. */
export interface Targets {
  /** The target of that name; made when it is new. */
  get(name: string): Target;
  list(): readonly BreakerView[];
}

/** The most targets that are remembered; beyond it the oldest idle ones are forgotten (flows can compute URLs, so their number has no bound). */
const MAX_TARGETS = 10_000;

/** Keeps targets. `onChange` is told when a breaker opens or closes. */
export function createTargets(
  policy: TargetPolicy,
  clock: Clock,
  onChange: (target: string, state: BreakerState) => void,
): Targets {
  const targets = new Map<string, Target>();
  return {
    get(name) {
      let target = targets.get(name);
      if (target === undefined) {
        if (targets.size >= MAX_TARGETS) forgetIdle(targets, clock.now());
        target = createTarget(name, policy, clock, onChange);
        targets.set(name, target);
      }
      return target;
    },
    // The empty name stands for calls that name no target; they end before they reach one.
    list: () => Array.from(targets.values(), (target) => target.view()).filter((view) => view.target !== ""),
  };
}

function createTarget(
  name: string,
  policy: TargetPolicy,
  clock: Clock,
  onChange: (target: string, state: BreakerState) => void,
): Target {
  const counter = new ConsecutiveBreaker(policy.failuresToOpen);
  const halfOpenAfter = new DelegateBackoff(({ attempt }: { readonly attempt: number }) => {
    const openMs = Math.min(policy.openMs * 2 ** (attempt - 1), policy.maxOpenMs);
    target.reopensAt = clock.now() + openMs;
    return openMs;
  });
  const faults = handleWhenResult((outcome) => isFault(outcome as Outcome));
  const breaker = circuitBreaker(faults, { breaker: counter, halfOpenAfter });
  const places = bulkhead(policy.maxConcurrent, policy.maxQueued);
  const target: Target = {
    name,
    breaker,
    bulkhead: places,
    pausedUntil: 0,
    pauses: 0,
    reopensAt: 0,
    view: () => ({
      target: name,
      state: toState(breaker.state),
      reopensAt: breaker.state === CircuitState.Open ? target.reopensAt : null,
      failuresInRow: counter.state,
      running: policy.maxConcurrent - places.executionSlots,
      queued: policy.maxQueued - places.queueSlots,
      pausedUntil: target.pausedUntil > clock.now() ? target.pausedUntil : null,
    }),
  };
  breaker.onStateChange((state) => onChange(name, toState(state)));
  return target;
}

/** Failures that say something about the target: retryable ones that the target did not ask for. */
function isFault(outcome: Outcome): boolean {
  return !outcome.ok && outcome.error.retryable && outcome.deferMs === undefined;
}

function toState(state: CircuitState): BreakerState {
  if (state === CircuitState.Closed) return "CLOSED";
  return state === CircuitState.HalfOpen ? "HALF_OPEN" : "OPEN";
}

function forgetIdle(targets: Map<string, Target>, now: number): void {
  for (const [name, target] of targets) {
    const { state, running, queued } = target.view();
    if (state !== "CLOSED" || running > 0 || queued > 0 || target.pausedUntil > now) continue;
    targets.delete(name);
    if (targets.size < MAX_TARGETS * 0.9) return;
  }
}
