/**
 * Targets of calls, each with its own breaker and bulkhead.
 *
 * A target is a task of a flow together with the origin that it calls, not the origin alone: a path that always fails,
 * or never responds, must not block other flows that call the same host. When a host is down, each task pays with a few
 * failed calls and affects nobody else.
 *
 * Targets exist in memory only: a restart forgets them, and the first calls find out again. Attempts and retries are in
 * the journal and do not depend on targets.
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

/** Limits for each target. Durations are in milliseconds. */
export interface TargetPolicy {
  /** Consecutive failures that open the breaker (retryable ones; refusals of the request do not count). */
  readonly failuresToOpen: number;
  /** How long the breaker stays open the first time; doubles with every failed probe up to `maxOpenMs`. */
  readonly openMs: number;
  /** Also the longest time for which an open breaker defers one attempt. */
  readonly maxOpenMs: number;
  /** Maximum number of concurrent calls. */
  readonly maxConcurrent: number;
  /** Maximum number of calls that wait for a slot; more are deferred. */
  readonly maxQueued: number;
}

export const DEFAULT_TARGET_POLICY: TargetPolicy = {
  failuresToOpen: 10,
  openMs: 1_000,
  maxOpenMs: 30_000,
  maxConcurrent: 100,
  maxQueued: 1_000,
};

/** State of a breaker, as shown to callers. */
export type BreakerState = "CLOSED" | "OPEN" | "HALF_OPEN";

/** A target, as shown to callers. */
export interface BreakerView {
  readonly origin: string;
  readonly flowId: string;
  /** Path of the task without child indexes and visits. */
  readonly task: string;
  readonly state: BreakerState;
  /** Earliest time of the next call, milliseconds since the epoch; null if calls go through now. */
  readonly reopensAt: number | null;
  readonly failuresInRow: number;
  readonly running: number;
  readonly queued: number;
}

/** A target, as the call path sees it. */
export interface Target {
  readonly origin: string;
  readonly flowId: string;
  readonly task: string;
  readonly breaker: CircuitBreakerPolicy;
  readonly bulkhead: BulkheadPolicy;
  /** When the breaker stops refusing calls, milliseconds since the epoch; meaningless while it is closed. */
  reopensAt: number;
  view(): BreakerView;
}

export interface Targets {
  /** Returns the target of a call to `origin`, and creates it if it is new. */
  get(origin: string, call: Pick<ToolCall, "flowId" | "path">): Target;
  list(): readonly BreakerView[];
}

const TOO_MANY_REQUESTS = "TOO_MANY_REQUESTS";

/**
 * Maximum number of targets that are remembered. Beyond it, the oldest idle ones are forgotten (flows can compute URLs,
 * so their number is unbounded).
 */
const MAX_TARGETS = 10_000;

/** Called when a breaker opens, closes, or lets a probe through. */
export type BreakerListener = (target: Target, state: BreakerState) => void;

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
    // Calls without an origin have no target; they end before they reach one.
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

/**
 * Failures that mean that the target does not work: retryable ones except 429, which a working target sends when it is
 * busy.
 */
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
