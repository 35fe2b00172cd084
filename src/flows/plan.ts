/**
 * The plan: what the engine executes. It is derived from the LangGraph `StateGraph` of a flow (edges, joins, branches)
 * and the checked document (everything else). A plan is immutable and has no run state; all runs of a flow version
 * share one.
 */
import type { Json, JsonObject } from "../base/json/json.ts";
import type { AiRoute } from "../tasks/agents/transport.ts";
import type { Carrier, Effect, TaskTypeName } from "../tasks/define.ts";

/** When a task with dependencies may run; see docs/semantics.md §2. */
export type TriggerRule = "all_success" | "none_failed" | "all_done" | "one_success";

/**
 * What an expression may read. The engine implements it over the state of a run; nothing is copied until it is read.
 */
export interface Scope {
  /** Declared variables with their values, defaults filled in. */
  readonly vars: JsonObject;
  /** `run_id`, `flow_id`, `version`, `tenant_id`, `user_id`, `correlation_id`, `labels`, `start_time`. */
  readonly run: JsonObject;
  /** View of a task by id: `{output, outputs, state, error, attempt}`; undefined when the flow has no such task. */
  task(id: string): JsonObject | undefined;
  /** Current element of the enclosing `map`. */
  readonly item?: Json | undefined;
  /** Index in the enclosing `map` or `parallel`. */
  readonly index?: number | undefined;
  /** View of the first dependency that succeeded, for `one_success`: `{id, output, …}`. */
  readonly first?: JsonObject | undefined;
  /** The signal that an FSM `on` entry evaluates: `{name, payload}`. */
  readonly signal?: JsonObject | undefined;
  /** The time that `now()` returns, milliseconds since 1970; the same for all expressions of a transition. */
  readonly now?: number | undefined;
  /** Where the result of a call is awaited: `{url}`. */
  readonly callback?: JsonObject | undefined;
  /** What a trigger is evaluated for: `{id, type, source, time, key, headers, body}`. */
  readonly event?: JsonObject | undefined;
  /** What a compensation task undoes: `{task, outcome, input, output, children}`. */
  readonly compensates?: JsonObject | undefined;
  /** Looks at the value of each `${…}` before it is used; null or absent: nobody does. */
  readonly inspect?: Inspect | null;
}

/** Returns what takes the place of a value that was read from these roots. What it throws ends the evaluation. */
export type Inspect = (value: Json, slots: readonly { readonly root: string }[]) => Json;

/** A compiled value that may contain `${…}`. */
export interface Template {
  /** Whether it contains no expression; then `evaluate` needs no scope. */
  readonly constant: boolean;
  /** Evaluates the value. Throws EXPRESSION_FAILED or EXPRESSION_TOO_COSTLY. Pure. */
  evaluate(scope: Scope): Json;
}

/** Retry policy with all defaults filled in. Durations are in milliseconds. */
export interface RetryPolicy {
  readonly maxRetries: number;
  readonly backoff: "fixed" | "linear" | "exponential" | "full_jitter";
  readonly initialDelayMs: number;
  readonly maxDelayMs: number;
  readonly multiplier: number;
  readonly nonRetryable: readonly string[];
}

/** Timeouts of a task, milliseconds; null means none. */
export interface Timeouts {
  readonly startToCloseMs: number | null;
  readonly scheduleToStartMs: number | null;
  readonly scheduleToCloseMs: number | null;
  readonly heartbeatMs: number | null;
}

/**
 * Limits of one task as evaluated when it was scheduled, milliseconds, with the defaults of the service that it got.
 * Constant limits are not included.
 */
export type TaskLimits = {
  readonly [Name in
    | "startToCloseMs"
    | "scheduleToStartMs"
    | "scheduleToCloseMs"
    | "heartbeatMs"
    | "initialDelayMs"
    | "maxDelayMs"
    | "multiplier"
    | "maxRetries"]?: number;
};

/** A limit that is written as `${…}`. */
export interface EvaluatedLimit {
  readonly name: keyof TaskLimits;
  /** Its path in the task, such as `retry_policy.initial_delay`. */
  readonly place: string;
  readonly duration: Template;
}

/** How much may be in use of a limit at once, and how often its slots are given out; at least one is set in a flow. */
export interface LimitBounds {
  readonly maxConcurrent: number | null;
  readonly rate: { readonly count: number; readonly perMs: number } | null;
}

/** The limit that a task is under. */
export interface LimitSpec extends LimitBounds {
  readonly name: string;
  /** Gives text, a number, or a boolean: each value is a limit of its own. */
  readonly key: Template;
  /** Longest wait of an attempt for a slot, milliseconds; null: as long as the task may take. */
  readonly timeoutMs: number | null;
}

/**
 * How much a run may spend: millionths of a dollar and tokens of models, attempts, and milliseconds in which attempts
 * run. Absent: any amount.
 */
export interface BudgetSpec {
  readonly maxCostMicros?: number;
  readonly maxTokens?: number;
  readonly maxSteps?: number;
  readonly maxTimeMs?: number;
  /** Models without a price spend tokens alone; absent: where the cost is limited, they are refused. */
  readonly unpriced?: "tokens_only";
  /** Calls that undo tasks spend it, too; absent: they spend no budget of a run. */
  readonly compensation?: true;
}

/** The budget of a run. */
export interface RunBudget extends BudgetSpec {
  readonly runId: string;
}

/** The limit of a run: its key is known. */
export interface RunLimit extends LimitBounds {
  readonly name: string;
  readonly key: string;
  /** Those with a higher one get a slot first; absent: 0. */
  readonly priority?: number;
}

/** What every executable node has: tasks, children of groups, and tasks of FSM states. */
export interface TaskSpec {
  readonly id: string;
  /** The id by which executors, tables, and metrics know the task; absent: its id. */
  readonly externalId?: string;
  readonly name: string;
  readonly type: TaskTypeName;
  readonly effect: Effect;
  /** How the task leaves at this service; absent: it does not. */
  readonly carrier?: Carrier;
  /** `ai` only: what it says about who does it. */
  readonly route?: AiRoute;
  /** What the service gives the task that it does not set itself; evaluated limits come before it. */
  readonly defaults?: TaskLimits;
  /** Every attempt holds a slot of this limit; absent: none. */
  readonly limit?: LimitSpec;
  /** A call whose result comes later, at the URL that the call carries. */
  readonly awaitsCallback?: true;
  /**
   * Evaluates to the parameters object of the task type. Checked against its schema at compile time if constant,
   * otherwise after evaluation.
   */
  readonly parameters: Template;
  readonly retry: RetryPolicy;
  readonly timeouts: Timeouts;
  /** Limits that replace those in `retry` and `timeouts` once they are evaluated; empty for most tasks. */
  readonly limits: readonly EvaluatedLimit[];
  readonly onError: "fail" | "continue";
  readonly onReject: "fail" | "continue";
  /** `condition` only: the boolean. */
  readonly condition: Template | null;
  /** `parallel`: the children. */
  readonly children: readonly TaskSpec[] | null;
  /** `map`: the items and the task that runs for each. */
  readonly map: { readonly items: Template; readonly child: TaskSpec } | null;
  /** `parallel`, `map`: maximum number of children open at once. */
  readonly maxConcurrency: number;
  /** `parallel`, `map`: whether the first failed child cancels the others. */
  readonly failFast: boolean;
}

/** Whether a condition's result lets a target run. */
export interface Gate {
  /** Index of the condition's node. */
  readonly condition: number;
  readonly admitsTrue: boolean;
  readonly admitsFalse: boolean;
}

export interface DagNode {
  readonly index: number;
  readonly task: TaskSpec;
  /** Indexes of all dependencies, in document order (depends_on first, then conditions that name it). */
  readonly deps: readonly number[];
  /** Indexes of the nodes that depend on this one. */
  readonly dependents: readonly number[];
  readonly triggerRule: TriggerRule;
  readonly gates: readonly Gate[];
  /** Index of the compensation task, if any. */
  readonly compensateWith: number | null;
  /** Whether this node runs only in compensation. */
  readonly isCompensation: boolean;
}

/** A state of an FSM flow. */
export interface FsmState {
  readonly index: number;
  readonly id: string;
  readonly task: TaskSpec | null;
  readonly transitions: readonly { readonly when: Template | null; readonly to: number }[];
  readonly on: readonly { readonly signal: string; readonly when: Template | null; readonly to: number }[];
  readonly after: readonly { readonly delay: Template; readonly to: number }[];
  readonly onError: readonly { readonly match: readonly string[] | null; readonly to: number }[];
  readonly final: "completed" | "failed" | null;
  /** Compensation task of the state's task. */
  readonly compensateWith: number | null;
}

/** A declared variable. */
export interface Variable {
  readonly name: string;
  readonly type: "string" | "number" | "integer" | "boolean" | "array" | "object" | "any";
  readonly required: boolean;
  readonly default: Json | undefined;
  readonly description: string;
  readonly enum: readonly Json[] | undefined;
}

/** What happens to a run when nothing is heard any more of work that is done elsewhere. */
export interface Recovery {
  readonly strategy: "resume" | "restart" | "fail";
  readonly idleAfterMs: number;
}

interface PlanBase {
  readonly flowId: string;
  readonly version: string;
  /** Hex SHA-256 of the canonical JSON of the parsed document before defaults. */
  readonly hash: string;
  readonly name: string;
  readonly variables: readonly Variable[];
  /** Variables that are computed from the declared ones when a run starts (by `checkInput`). */
  readonly computed: readonly { readonly name: string; readonly value: Template }[];
  /** JSON Schemas of the data of signals, by name. */
  readonly signals: ReadonlyMap<string, JsonObject>;
  /** Run timeout, milliseconds; null: the service's default, unless `timeout` is set. */
  readonly timeoutMs: number | null;
  /** Run timeout that is written as `${…}` over the variables; null if it is not. */
  readonly timeout: Template | null;
  readonly output: Template | null;
  /** Null: nothing. */
  readonly recovery: Recovery | null;
  /** Each run holds a slot of this limit; absent: none. */
  readonly limit?: LimitSpec;
  /** What a run and its child runs may spend; absent: any amount. */
  readonly budget?: BudgetSpec;
}

/** Plan of a DAG flow. */
export interface DagPlan extends PlanBase {
  readonly kind: "dag";
  readonly nodes: readonly DagNode[];
  readonly index: ReadonlyMap<string, number>;
  /** Ids by external ids, of the tasks that have one. */
  readonly externalIds: ReadonlyMap<string, string>;
  /** Nodes without dependencies that are not compensation tasks. */
  readonly roots: readonly number[];
  readonly failFast: boolean;
}

/** Plan of an FSM flow. `compensations` are its compensation tasks. */
export interface FsmPlan extends PlanBase {
  readonly kind: "fsm";
  readonly states: readonly FsmState[];
  readonly index: ReadonlyMap<string, number>;
  readonly initial: number;
  readonly maxTransitions: number;
  readonly compensations: readonly TaskSpec[];
}

/** Plan of a `graph` flow: a compiled LangGraph graph that is exported by a module in the configuration. */
export interface GraphPlan extends PlanBase {
  readonly kind: "graph";
  /** Registered name of the graph. */
  readonly graph: string;
  /** The only task of such a run: its id is the name of the graph, its type `graph`. */
  readonly task: TaskSpec;
}

/** The plan of a flow version. */
export type Plan = DagPlan | FsmPlan | GraphPlan;
