/** What operators say about breakers and bulkheads: overrides, which hold at every instance until they end. */
import type { Caller } from "../caller.ts";

/**
 * What an override is about: calls of a service, an origin, or a model, or of anything if all three are empty; of one
 * flow or task, or of all.
 */
export interface OverrideTarget {
  /** Name of a service, or empty. */
  readonly service: string;
  /** `https://host:port`, or empty. */
  readonly origin: string;
  /** `provider/model`, or empty. */
  readonly model: string;
  /** Empty: of all flows. */
  readonly flowId: string;
  /** Path of a task without child indexes and visits; empty: of all tasks. */
  readonly task: string;
}

/** What a breaker does whatever its target answers: `open` lets no call through, `closed` all of them. */
export type ForcedBreaker = "open" | "closed";

/** What an override says. At least one part is not null. */
export interface OverrideRule {
  /** Null: the breaker decides. */
  readonly breaker: ForcedBreaker | null;
  /** Most calls under way at once, at each instance; null: as configured. */
  readonly maxConcurrent: number | null;
  /** Most calls that wait for a slot, at each instance; null: as configured. */
  readonly maxQueued: number | null;
  /** Milliseconds since the epoch; null: until it is lifted. */
  readonly until: number | null;
}

/** An override that is in force. */
export interface ToolOverride extends OverrideTarget, OverrideRule {
  readonly tenantId: string;
  readonly by: string;
  readonly why: string;
  /** Milliseconds since the epoch. */
  readonly since: number;
}

/** A call to let breakers begin anew. */
export interface BreakerReset extends Omit<OverrideTarget, "model"> {
  readonly id: string;
  readonly tenantId: string;
}

/** Overrides in the store. */
export interface ToolOverrideStore {
  /** Those of all tenants that have not ended. */
  list(): Promise<readonly ToolOverride[]>;
  /** Error: TOO_MANY_OVERRIDES. */
  put(tenantId: string, target: OverrideTarget, rule: OverrideRule, by: string, why: string): Promise<ToolOverride>;
  /** Returns whether there was one. */
  lift(tenantId: string, target: OverrideTarget): Promise<boolean>;
  /** Resets of the last minutes. */
  listResets(): Promise<readonly BreakerReset[]>;
  reset(tenantId: string, target: Omit<OverrideTarget, "model">): Promise<void>;
  /** Calls `listener` whenever something may have changed. */
  listen(listener: () => void): () => Promise<void>;
}

/** Calls of operators. A change is durable when they resolve, and holds at every instance within a second. */
export interface ToolOverrides {
  /** Overrides in force, by their targets. */
  list(caller: Caller): readonly ToolOverride[];
  /** Replaces the override of the target. Error: TOO_MANY_OVERRIDES. */
  put(caller: Caller, target: OverrideTarget, rule: OverrideRule, why: string): Promise<ToolOverride>;
  /** Returns whether there was one. */
  lift(caller: Caller, target: OverrideTarget, why: string): Promise<boolean>;
  /** Breakers of the target forget their failures and let calls through. */
  reset(caller: Caller, target: Omit<OverrideTarget, "model">, why: string): Promise<void>;
}

/** Who is called, and by whom. */
export interface CallTarget {
  readonly tenantId: string;
  readonly origin: string;
  /** Empty: a URL is called. */
  readonly service: string;
  readonly flowId: string;
  /** Path of the task without child indexes and visits. */
  readonly task: string;
}

/** What overrides say about one target: each part by the most specific override that has it. */
export interface TargetRule {
  readonly breaker: ForcedBreaker | null;
  /** The override that forces the breaker. */
  readonly forcedBy: ToolOverride | null;
  readonly maxConcurrent: number | null;
  readonly maxQueued: number | null;
  /** The rule ends then, milliseconds since the epoch. */
  readonly until: number;
}

/** Overrides as the call path sees them. */
export interface TargetRules {
  /** Another number when a rule may have changed. */
  readonly version: number;
  ruleOf(target: CallTarget): TargetRule;
  /** The override that stops calls of a model, named `provider/model`; null: none does. */
  findStopped(model: string, target: Pick<CallTarget, "tenantId" | "flowId" | "task">): ToolOverride | null;
  onChange(listener: () => void): void;
  /** Calls `listener` with each reset: which targets it is about. */
  onReset(listener: (isAbout: (target: CallTarget) => boolean) => void): void;
}

/** State of a breaker. */
export type BreakerState = "CLOSED" | "OPEN" | "HALF_OPEN";

/** A target with its breaker and its slots, at one instance. */
export interface BreakerView extends CallTarget {
  readonly state: BreakerState;
  /** Null: the breaker decides. */
  readonly forced: ForcedBreaker | null;
  /** Earliest time of the next call, milliseconds since the epoch; null if calls go through now. */
  readonly reopensAt: number | null;
  readonly failuresInRow: number;
  readonly running: number;
  readonly queued: number;
  readonly maxConcurrent: number;
  readonly maxQueued: number;
}

/** Breakers of this instance. */
export interface Breakers {
  readonly instanceId: string;
  /** Targets called since the start, of all tenants. */
  listBreakers(): readonly BreakerView[];
}
