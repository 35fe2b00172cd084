/** The port to tools: what the engine needs of the call path that talks to the outside. */
import type { Json } from "../../base/json/json.ts";
import type { TaskTypeName } from "../../tasks/define.ts";
import type { Outcome, Suspension } from "../machine/events.ts";
import type { Answer, TaskError } from "../machine/records.ts";

/** How an attempt ends, and what it says. */
export type { Outcome, Suspension, TaskError, TaskTypeName };

/** One attempt of an effectful task. */
export interface ToolCall {
  readonly runId: string;
  readonly tenantId: string;
  readonly flowId: string;
  readonly correlationId: string;
  /** Path of the task, with iteration and child index. */
  readonly path: string;
  readonly type: TaskTypeName;
  /** Evaluated parameters, checked against the schema of the task type. */
  readonly input: Json;
  /** 1 for the first attempt. */
  readonly attempt: number;
  /** Time since the attempt could have been made, milliseconds: how long the call path has deferred it. */
  readonly waitedMs: number;
  /** The same for all attempts of this generation: `run_id/path/generation`. */
  readonly idempotencyKey: string;
  /** Sequence of the record that dispatched the attempt: rises with every dispatch, so a tool can refuse a late one. */
  readonly fencingToken: number;
  /** Answer to the interrupt of a graph that goes on with this attempt; null when there is none. */
  readonly answer: Answer | null;
  /** How long the attempt may take, milliseconds; null: no limit. The engine aborts `signal` then; the call path may use it for its own deadlines. */
  readonly timeoutMs: number | null;
  /** Says that the attempt lives; there when the task has a heartbeat timeout. Progress of any kind (bytes of an answer) counts. */
  readonly heartbeat?: (() => void) | undefined;
}

/** Where the signal that tells an attempt to stop is had from. Like that of an `AbortController` it is made when it is asked for: most attempts need none. */
export interface Stop {
  readonly signal: AbortSignal;
}

/** Makes calls. Never rejects: what goes wrong is an outcome with an error. Must settle soon after the signal of `stop` aborts. */
export interface ToolCaller {
  call(call: ToolCall, stop: Stop): Promise<Outcome>;
}
