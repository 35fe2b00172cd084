/**
 * Targets: what calls are aimed at, each with its breaker and its bulkhead.
 *
 * A target is a task of a flow together with the origin that it calls, not the origin alone: a path that always fails, or never answers, must not hold
 * back other flows that call the same host. Calls that find their host down pay with a few failures for each task, and disturb nobody else.
 *
 * Targets live in memory only: a restart forgets them, and the first calls find out again. Attempts and retries are in the journal and know nothing of them.
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
import type { Clock } from "../base/time/clock.ts";
import type { Outcome, ToolCall } from "../engine/ports/tools.ts";

/** Limits for each target. Durations in milliseconds. */
export interface TargetPolicy {
  /** Failures in a row (retryable ones; refusals of the request do not count) that open the breaker. */
  readonly failuresToOpen: number;
  /** How long the breaker stays open the first time; doubles with every failed probe up to `maxOpenMs`. */
  readonly openMs: number;
  /** Also the longest time for which one attempt is deferred by an open breaker. */
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
  readonly origin: string;
  readonly flowId: string;
  /** Path of the task without child indexes and visits. */
  readonly task: string;
  readonly state: BreakerState;
  /** When the next call may try, milliseconds since the epoch; null when calls go through now. */
  readonly reopensAt: number | null;
  readonly failuresInRow: number;
  readonly running: number;
  readonly queued: number;
}

/** A target in the hands of the call path. */
export interface Target {
  readonly origin: string;
  readonly flowId: string;
  readonly task: string;
  readonly breaker: CircuitBreakerPolicy;
  readonly bulkhead: BulkheadPolicy;
  /** Until when the breaker refuses calls, milliseconds since the epoch; meaningless while it is closed. */
  reopensAt: number;
  view(): BreakerView;
}

/** All targets. */
export interface Targets {
  /** The target of a call to `origin`; created when it is new. */
  get(origin: string, call: Pick<ToolCall, "flowId" | "path">): Target;
  list(): readonly BreakerView[];
}

const TOO_MANY_REQUESTS = "TOO_MANY_REQUESTS";

/** The most targets that are remembered; beyond it the oldest idle ones are forgotten (flows can compute URLs, so their number has no bound). */
const MAX_TARGETS = 10_000;

/** Called when a breaker opens, closes or lets a probe through. */
export type BreakerListener = (target: Target, state: BreakerState) => void;

/** Keeps targets. */
export function createTargets(policy: TargetPolicy, clock: Clock, onChange: BreakerListener): Targets {
  const targets = new Map<string, Target>();
  return {
    get(origin, { flowId, path }) {
      const task = path.replaceAll(/[.~]\d+/g, "");
      const key = `${flowId} ${task} ${origin}`;
      let target = targets.get(key);
      if (target === undefined) {
        if (targets.size >= MAX_TARGETS) forgetIdle(targets);
        target = createTarget({ origin, flowId, task }, policy, clock, onChange);
        targets.set(key, target);
      }
      return target;
    },
    // Calls without an origin name no target; they end before they reach one.
    list: () => Array.from(targets.values(), (target) => target.view()).filter((view) => view.origin !== ""),
  };
}

function createTarget(
  identity: Pick<Target, "origin" | "flowId" | "task">,
  policy: TargetPolicy,
  clock: Clock,
  onChange: BreakerListener,
): Target {
  const counter = new ConsecutiveBreaker(policy.failuresToOpen);
  const halfOpenAfter = new DelegateBackoff(({ attempt }: { readonly attempt: number }) => {
    const openMs = Math.min(policy.openMs * 2 ** (attempt - 1), policy.maxOpenMs);
    target.reopensAt = clock.now() + openMs;
    return openMs;
  });
  const faults = handleWhenResult((outcome) => isFault(outcome as Outcome));
  const breaker = circuitBreaker(faults, { breaker: counter, halfOpenAfter });
  const slots = bulkhead(policy.maxConcurrent, policy.maxQueued);
  const target: Target = {
    ...identity,
    breaker,
    bulkhead: slots,
    reopensAt: 0,
    view: () => ({
      ...identity,
      state: toState(breaker.state),
      reopensAt: breaker.state === CircuitState.Open ? target.reopensAt : null,
      failuresInRow: counter.state,
      running: policy.maxConcurrent - slots.executionSlots,
      queued: policy.maxQueued - slots.queueSlots,
    }),
  };
  breaker.onStateChange((state) => onChange(target, toState(state)));
  return target;
}

/** Failures that say that the target does not work: retryable ones, but not a 429, which a target sends that works and is busy. */
function isFault(outcome: Outcome): boolean {
  return !outcome.ok && outcome.error.retryable && outcome.error.type !== TOO_MANY_REQUESTS;
}

function toState(state: CircuitState): BreakerState {
  if (state === CircuitState.Closed) return "CLOSED";
  return state === CircuitState.HalfOpen ? "HALF_OPEN" : "OPEN";
}

function forgetIdle(targets: Map<string, Target>): void {
  for (const [name, target] of targets) {
    const { state, running, queued } = target.view();
    if (state !== "CLOSED" || running > 0 || queued > 0) continue;
    targets.delete(name);
    if (targets.size < MAX_TARGETS * 0.9) return;
  }
}
