/** Runs LangGraph graphs of the user's modules. */
import type { AttemptEnd } from "../graph/process.ts";
import type { ToolCall } from "./tools.ts";

/** How an attempt ended, or why there was none. */
export type GraphAttempt =
  | AttemptEnd
  /**
   * No loaded module exports the graph, or not in the version that the run began with; `problem` adds details if there
   * are any.
   */
  | { readonly kind: "not_loaded"; readonly problem: string }
  /** All workers are busy and the queue is full. */
  | { readonly kind: "busy" }
  /** The signal aborted, or the host closed, before anything ran. */
  | { readonly kind: "never_began" };

/** Hosts the graphs of the user's modules. */
export interface GraphHost {
  /** Names of the graphs that flows may run, without duplicates. */
  names(): readonly string[];
  /**
   * Runs an attempt of a task of type `graph`; the path of the task is the name of the graph. Settles soon after
   * `signal` aborts.
   */
  run(call: ToolCall, signal: AbortSignal): Promise<GraphAttempt>;
  /** Ends all workers; their attempts end as stopped. */
  close(): Promise<void>;
}
