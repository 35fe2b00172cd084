/** The port of dry runs: what a flow would do, and what its calls to models may cost, without calling anything. */
import type { Json, JsonObject } from "../../../base/json/json.ts";
import type { Caller } from "../caller.ts";

/** What a task gives, or how it fails, instead of being called. */
export type Mock =
  | { readonly ok: true; readonly output: Json }
  | { readonly ok: false; readonly error: { readonly type: string; readonly message: string } };

/** What was chosen somewhere. */
export interface Choice {
  /** What was chosen about, for people: `condition big`. */
  readonly about: string;
  readonly taken: string;
}

/** What a call to a model would reserve in budgets. */
export interface PlayedReserve {
  /** Provider and model: `local/small`. */
  readonly model: string;
  readonly tokens: number;
  /** Millionths of a dollar; null: the model has no price. */
  readonly costMicros: number | null;
  /** The whole input is known. Otherwise only what is known of it counts. */
  readonly isSized: boolean;
}

/** A call that a run would make: the input of an attempt, as far as it is known. */
export interface PlayedCall {
  readonly path: string;
  /** Id of the task in the flow. */
  readonly id: string;
  readonly type: string;
  readonly attempt: number;
  /** Null: nothing of it is known, or it is not kept because the inputs are too large together. */
  readonly input: JsonObject | null;
  /** What it reaches; null: nothing. */
  readonly target: Target | null;
  /** Models that are asked if that one fails. */
  readonly fallbacks: readonly Target[];
  /** Null: it calls no model, or one of which this service knows nothing. */
  readonly reserve: PlayedReserve | null;
}

/**
 * How a way ends. `WAITING`: for something that never comes, or for a raise of its budget; `UNFINISHED`: it goes on for
 * too long.
 */
export type WayEnd = "COMPLETED" | "FAILED" | "CANCELED" | "TIMED_OUT" | "TERMINATED" | "WAITING" | "UNFINISHED";

/** One way through a flow. */
export interface Way {
  readonly choices: readonly Choice[];
  readonly end: WayEnd;
  readonly error: { readonly type: string; readonly message: string; readonly task: string | null } | null;
  /** Of timers, retries, and delays alone, milliseconds: calls take no time. */
  readonly durationMs: number;
  readonly calls: readonly PlayedCall[];
  /** What its calls to models reserve together: millionths of a dollar where there is a price, and tokens. */
  readonly costMicros: number;
  readonly tokens: number;
  /** Ids of the tasks, or states, that began. */
  readonly reached: ReadonlySet<string>;
  readonly assumptions: readonly Assumption[];
}

/** Something that had to be assumed at a place. */
export interface Assumption {
  readonly place: string;
  readonly what: string;
}

/** Something outside that a call reaches. An empty name: which one is not known. */
export interface Target {
  readonly kind:
    | "service"
    | "address"
    | "model"
    | "flow"
    | "graph"
    | "workers"
    | "topics"
    | "agents"
    | "webhooks"
    | "streams";
  readonly name: string;
}

/** What a task does on the ways. */
export interface DryTask {
  readonly id: string;
  readonly type: string;
  /** On how many ways it is called, or would be if it called something. */
  readonly ways: number;
  /** Most calls of it on one way: attempts, children, and visits. */
  readonly mostCalls: number;
}

/** What the calls to models of a run would reserve: the least and the most of the ways. */
export interface DryEstimate {
  readonly minCostMicros: number;
  readonly maxCostMicros: number;
  readonly minTokens: number;
  readonly maxTokens: number;
  /** Models without a price: their tokens count, and no cost. */
  readonly unpriced: readonly string[];
  /** Ids of tasks whose input is not known as a whole: they may cost more. */
  readonly unsized: readonly string[];
  /** Ids of tasks of which nothing is counted: child flows, graphs, and questions that agents answer. */
  readonly uncounted: readonly string[];
}

/** What a dry run has found. */
export interface DryRunReport {
  readonly flowId: string;
  readonly version: string;
  readonly ways: readonly Way[];
  /** There are more. */
  readonly isCut: boolean;
  /** Tasks that are called on some way, in the order of their first call. */
  readonly tasks: readonly DryTask[];
  /** Ids of tasks that begin on no way. */
  readonly unreached: readonly string[];
  readonly targets: readonly Target[];
  readonly estimate: DryEstimate;
  /** Those of all ways, each once. */
  readonly assumptions: readonly Assumption[];
}

/** A flow: a definition, or a registered version; an empty one is the latest. */
export type DryFlow =
  | { readonly text: string }
  | { readonly document: JsonObject }
  | { readonly flowId: string; readonly version: string };

/** What is to be played. */
export interface DryRunOrder {
  readonly flow: DryFlow;
  /** The input of a run, not checked yet. */
  readonly input: JsonObject;
  /** Results by the ids of tasks. */
  readonly mocks: ReadonlyMap<string, Mock>;
}

/** Dry runs, one at a time. Callers take turns with each other, and with the steps of the service. */
export interface DryRuns {
  /**
   * Plays a flow. Ends with the reason of `signal` once that aborts. Errors: those of a registration and of the input,
   * FLOW_NOT_FOUND, INVALID_REQUEST for a result of a task that the flow does not have, OVERLOADED when too many of the
   * caller or of the tenant wait.
   */
  dryRun(caller: Caller, order: DryRunOrder, signal: AbortSignal): Promise<DryRunReport>;
  /** The same for a step of a flow of the service, which calls never keep out: no OVERLOADED. */
  dryRunForStep(tenantId: string, order: DryRunOrder, signal: AbortSignal): Promise<DryRunReport>;
}
