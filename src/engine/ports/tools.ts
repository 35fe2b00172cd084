/** The port to tools: what the engine needs from the call path to the outside. */
import type { Json } from "../../base/json/json.ts";
import type { TraceContext } from "../../base/traces/trace-context.ts";
import type { RunBudget } from "../../flows/plan.ts";
import type { TaskTypeName } from "../../tasks/define.ts";
import type { Outcome, Suspension } from "../machine/events.ts";
import type { Answer, TaskError } from "../machine/records.ts";
import type { TaskNote } from "./run-watch.ts";

/** Outcome of an attempt and related types. */
export type { Outcome, Suspension, TaskError, TaskTypeName };

/** One attempt of an effectful task. */
export interface ToolCall {
  readonly runId: string;
  readonly tenantId: string;
  readonly flowId: string;
  /** The user for whom the run was started; empty: none is known. */
  readonly userId: string;
  /** The budgets of the run and of those above it, nearest first. */
  readonly budgets: readonly RunBudget[];
  readonly correlationId: string;
  /** Requests of runs that led to the start of this one; absent: none. */
  readonly hops?: number | undefined;
  /** The position of the attempt in its trace, for others to go on from; null: it has none. Absent: null. */
  traceContext?(): TraceContext | null;
  /**
   * Names the span of the call and adds to its attributes, by the conventions of OpenTelemetry; absent: there is none.
   * Nothing that a flow, a tool, or a model wrote goes in.
   */
  describe?(name: string, attributes: Readonly<Record<string, string | number | boolean | undefined>>): void;
  /**
   * The attempt makes another call, which has a span of its own: that of the last one ends, with the type of its error
   * or empty. Absent: there are none.
   */
  another?(error: string): void;
  /** Path of the task, with iteration and child index. */
  readonly path: string;
  /** Id of the task in its flow; of a child, that of its group with the number of the child. */
  readonly taskId: string;
  /** The id by which executors and tables know the task; absent: its id. */
  readonly externalId?: string | undefined;
  readonly type: TaskTypeName;
  /** Evaluated parameters, checked against the schema of the task type. */
  readonly input: Json;
  /** 1 for the first attempt. */
  readonly attempt: number;
  /** Time since the attempt could first have been made, milliseconds: how long the call path has deferred it. */
  readonly waitedMs: number;
  /** The same for all attempts of this generation: `run_id/path/generation`. */
  readonly idempotencyKey: string;
  /**
   * Sequence of the record that dispatched the attempt. It increases with every dispatch, so a tool can refuse a late
   * attempt.
   */
  readonly fencingToken: number;
  /** Where the result of a call that is not its answer is awaited; absent: the answer is the result. */
  readonly callbackUrl?: string;
  /** Answer to the question of an attempt that was suspended; null when there is none. */
  readonly answer: Answer | null;
  /** Key of the gate's question about this task that a person has approved; absent: none. */
  readonly approvedCall?: string;
  /** An instance that is gone had begun this attempt: what came of its call is unknown. */
  readonly repeats?: boolean;
  /** Why the call may not go on to an origin; null: it may. Absent: it may go everywhere. */
  readonly refuseOrigin?: (origin: string) => string | null;
  /** Tells those who watch the run. What is told is bounded, and never stored. */
  readonly tell?: (note: TaskNote) => void;
  /**
   * Time limit of the attempt, milliseconds; null: none. The engine aborts `signal` when it is reached; the call path
   * may use it for its own deadlines.
   */
  readonly timeoutMs: number | null;
  /**
   * Reports that the attempt is alive; present when the task has a heartbeat timeout. Progress of any kind (bytes of a
   * response) counts.
   */
  readonly heartbeat?: (() => void) | undefined;
}

/**
 * Source of the signal that asks an attempt to stop. As with an `AbortController`, the signal is created on first
 * access: most attempts need none.
 */
export interface Stop {
  readonly signal: AbortSignal;
}

/**
 * Makes calls. Never rejects: failures are outcomes with an error. Must settle soon after the signal of `stop` aborts.
 */
export interface ToolCaller {
  call(call: ToolCall, stop: Stop): Promise<Outcome>;
}
