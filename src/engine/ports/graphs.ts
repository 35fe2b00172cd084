/** Runs LangGraph graphs of the user's modules. */
import type { AttemptEnd } from "../graph/process.ts";
import type { ToolCall } from "./tools.ts";

/** How an attempt ended, or why there was none. */
export type GraphAttempt =
  | AttemptEnd
  /** No module that is loaded exports the graph, or not the version that the run began with; `problem` says more when there is more to say. */
  | { readonly kind: "not_loaded"; readonly problem: string }
  /** Every worker has work and the queue is full. */
  | { readonly kind: "busy" }
  /** The signal aborted, or the host closed, before anything ran. */
  | { readonly kind: "never_began" };

/** Graphs in the hands of their owner. */
export interface GraphHost {
  /** Names of the graphs that flows may run, each once. */
  names(): readonly string[];
  /** Makes an attempt of a task of type `graph`: its path is the name of the graph. Settles soon after `signal` aborts. */
  run(call: ToolCall, signal: AbortSignal): Promise<GraphAttempt>;
  /** Ends all workers; attempts in them end as stopped. */
  close(): Promise<void>;
}
