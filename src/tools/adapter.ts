/** What a tool adapter is: the code that talks to the outside for a task type. See docs/how-to/add-a-tool-adapter.md. */
import type { Outcome, Stop, TaskTypeName, ToolCall } from "../engine/ports/tools.ts";

interface AdapterBase {
  readonly type: TaskTypeName;
  /** Lets go of sockets, threads and the like; running calls have ended before. */
  close?(): Promise<void>;
}

/** An adapter that stays inside the service or guards itself: no breaker, bulkhead or deadline stands before it. */
export interface LocalAdapter extends AdapterBase {
  readonly local: true;
  /** Makes one attempt, as {@link RemoteAdapter} does. */
  run(call: ToolCall, stop: Stop): Promise<Outcome>;
}

/** An adapter that calls something outside. */
export interface RemoteAdapter extends AdapterBase {
  readonly local: false;
  /**
   * Makes one attempt. May reject: the call path turns that into an error of type TOOL_FAILED with unknown effect. Must settle soon after
   * `signal` aborts; its outcome then is a failure by {@link abortedOutcome}.
   */
  run(call: ToolCall, signal: AbortSignal): Promise<Outcome>;
  /** The server that the call is aimed at (`https://host:port`): breaker and bulkhead are kept for each task and origin. Never throws; empty when the input names none. */
  originOf(call: ToolCall): string;
}

/** An adapter for the list in `tools/index.ts`. */
export type ToolAdapter = LocalAdapter | RemoteAdapter;
