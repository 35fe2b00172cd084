/**
 * Targets of calls, each with its own breaker and bulkhead.
 *
 * A target is a task of a flow together with the origin that it calls, not the origin alone: a path that always fails,
 * or never responds, must not block other flows that call the same host. When a host is down, each task pays with a few
 * failed calls and affects nobody else.
 *
 * Targets exist in memory only: a restart forgets them, and the first calls find out again. Attempts and retries are in
 * the journal and do not depend on targets. What operators say about targets is in the store, and is read when it has
 * changed.
 */
import {
  type CircuitBreakerPolicy,
  CircuitState,
  ConsecutiveBreaker,
  circuitBreaker,
  DelegateBackoff,
  handleWhenResult,
} from "cockatiel";
import type { Clock } from "../base/time/clock.ts";
import type {
  BreakerState,
  BreakerView,
  CallTarget,
  TargetRule,
  TargetRules,
} from "../engine/ports/routing/tool-overrides.ts";
import type { Outcome, ToolCall } from "../engine/ports/tools.ts";
import { type SlotBounds, Slots } from "./path/slots.ts";

/** Limits for each target. Durations are in milliseconds. */
export interface TargetPolicy extends SlotBounds {
  /** Consecutive failures that open the breaker (retryable ones; refusals of the request do not count). */
  readonly failuresToOpen: number;
  /** How long the breaker stays open the first time; doubles with every failed probe up to `maxOpenMs`. */
  readonly openMs: number;
  /** Also the longest time for which an open breaker defers one attempt. */
  readonly maxOpenMs: number;
}

export const DEFAULT_TARGET_POLICY: TargetPolicy = {
  failuresToOpen: 10,
  openMs: 1_000,
  maxOpenMs: 30_000,
  maxConcurrent: 100,
  maxQueued: 1_000,
};

/** A target, as the call path sees it. */
export interface Target extends CallTarget {
  /** That of its service, where it says something, else the usual one. */
  readonly policy: TargetPolicy;
  readonly breaker: CircuitBreakerPolicy;
  readonly slots: Slots;
  /** When the breaker stops refusing calls, milliseconds since the epoch; meaningless while it is closed. */
  readonly reopensAt: number;
  /** What holds for the target now. Reads what operators have said since the last call. */
  rule(): TargetRule;
  view(): BreakerView;
}

export interface Targets {
  /** Returns the target of a call, and creates it if it is new. */
  get(place: Place, call: Pick<ToolCall, "tenantId" | "flowId" | "path">): Target;
  list(): readonly BreakerView[];
}

/** Who is called. */
export type Place = Pick<CallTarget, "origin" | "service">;

export interface TargetParts {
  readonly policy: TargetPolicy;
  /** What is said of a service, read again when {@link rules} change; null: nothing. */
  readonly policyOf: (service: string, tenantId: string) => Partial<TargetPolicy> | null;
  readonly rules: TargetRules;
  readonly clock: Clock;
  /** Called when a breaker opens, closes, or lets a probe through. */
  readonly onChange: (target: Target, state: BreakerState) => void;
}

const TOO_MANY_REQUESTS = "TOO_MANY_REQUESTS";

/**
 * Maximum number of targets that are remembered. Beyond it, the oldest idle ones are forgotten (flows can compute URLs,
 * so their number is unbounded).
 */
const MAX_TARGETS = 10_000;

export function createTargets(parts: TargetParts): Targets {
  const targets = new Map<string, MemoryTarget>();
  // Calls that wait in a line must not wait for another one to come.
  parts.rules.onChange(() => {
    for (const target of targets.values()) target.rule();
  });
  parts.rules.onReset((isAbout) => {
    for (const target of targets.values()) if (isAbout(target)) target.reset();
  });
  return {
    get({ origin, service }, { tenantId, flowId, path }) {
      const task = plainPath(path);
      const key = `${tenantId} ${flowId} ${task} ${service} ${origin}`;
      let target = targets.get(key);
      if (target === undefined) {
        if (targets.size >= MAX_TARGETS) forgetIdle(targets);
        target = new MemoryTarget({ tenantId, origin, service, flowId, task }, parts);
        targets.set(key, target);
      }
      return target;
    },
    // Calls without an origin have no target; they end before they reach one.
    list: () => Array.from(targets.values(), (target) => target.view()).filter((view) => view.origin !== ""),
  };
}

/** The path of a task without child indexes and visits of states. */
export function plainPath(path: string): string {
  return path.replaceAll(/[.~]\d+/g, "");
}

class MemoryTarget implements Target {
  readonly tenantId: string;
  readonly origin: string;
  readonly service: string;
  readonly flowId: string;
  readonly task: string;
  readonly slots: Slots;
  readonly #parts: TargetParts;
  #policy: TargetPolicy;
  #breaker: CircuitBreakerPolicy;
  #counter: ConsecutiveBreaker;
  #reopensAt = 0;
  #rule: TargetRule;
  #version: number;

  constructor({ tenantId, origin, service, flowId, task }: CallTarget, parts: TargetParts) {
    this.tenantId = tenantId;
    this.origin = origin;
    this.service = service;
    this.flowId = flowId;
    this.task = task;
    this.#parts = parts;
    this.#policy = this.#readPolicy();
    this.#version = parts.rules.version;
    this.#rule = parts.rules.ruleOf(this);
    this.slots = new Slots(this.#bounds());
    this.#counter = new ConsecutiveBreaker(this.policy.failuresToOpen);
    this.#breaker = this.#createBreaker();
  }

  get policy(): TargetPolicy {
    return this.#policy;
  }

  get breaker(): CircuitBreakerPolicy {
    return this.#breaker;
  }

  get reopensAt(): number {
    return this.#reopensAt;
  }

  rule(): TargetRule {
    const { rules, clock } = this.#parts;
    if (rules.version !== this.#version || clock.now() >= this.#rule.until) {
      this.#version = rules.version;
      this.#rule = rules.ruleOf(this);
      const before = this.#policy;
      this.#policy = this.#readPolicy();
      if (breakerOf(before) !== breakerOf(this.#policy)) this.reset();
      this.slots.resize(this.#bounds());
    }
    return this.#rule;
  }

  #readPolicy(): TargetPolicy {
    const { policy, policyOf } = this.#parts;
    return this.service === "" ? policy : { ...policy, ...policyOf(this.service, this.tenantId) };
  }

  /** Forgets failures. Calls under way count for the breaker of before. */
  reset(): void {
    this.#counter = new ConsecutiveBreaker(this.policy.failuresToOpen);
    this.#breaker = this.#createBreaker();
  }

  view(): BreakerView {
    const { tenantId, origin, service, flowId, task } = this;
    const { breaker: forced } = this.rule();
    const state = toState(this.#breaker.state);
    return {
      ...{ tenantId, origin, service, flowId, task, state, forced },
      reopensAt: state === "OPEN" ? this.#reopensAt : null,
      failuresInRow: this.#counter.state,
      ...{ running: this.slots.running, queued: this.slots.queued, ...this.#bounds() },
    };
  }

  #bounds(): SlotBounds {
    const { policy } = this;
    return {
      maxConcurrent: this.#rule.maxConcurrent ?? policy.maxConcurrent,
      maxQueued: this.#rule.maxQueued ?? policy.maxQueued,
    };
  }

  #createBreaker(): CircuitBreakerPolicy {
    const { policy } = this;
    const { clock, onChange } = this.#parts;
    const halfOpenAfter = new DelegateBackoff(({ attempt }: { readonly attempt: number }) => {
      const openMs = Math.min(policy.openMs * 2 ** (attempt - 1), policy.maxOpenMs);
      this.#reopensAt = clock.now() + openMs;
      return openMs;
    });
    const faults = handleWhenResult((outcome) => isFault(outcome as Outcome));
    const breaker = circuitBreaker(faults, { breaker: this.#counter, halfOpenAfter });
    breaker.onStateChange((state) => onChange(this, toState(state)));
    return breaker;
  }
}

/**
 * Failures that mean that the target does not work: retryable ones except 429, which a working target sends when it is
 * busy.
 */
function isFault(outcome: Outcome): boolean {
  return !outcome.ok && outcome.error.retryable && outcome.error.type !== TOO_MANY_REQUESTS;
}

/** What a breaker is made with. */
function breakerOf({ failuresToOpen, openMs, maxOpenMs }: TargetPolicy): string {
  return [failuresToOpen, openMs, maxOpenMs].join(" ");
}

function toState(state: CircuitState): BreakerState {
  if (state === CircuitState.Closed) return "CLOSED";
  return state === CircuitState.HalfOpen ? "HALF_OPEN" : "OPEN";
}

function forgetIdle(targets: Map<string, MemoryTarget>): void {
  for (const [name, target] of targets) {
    const { state, running, queued } = target.view();
    if (state !== "CLOSED" || running > 0 || queued > 0) continue;
    targets.delete(name);
    if (targets.size < MAX_TARGETS * 0.9) return;
  }
}
