/**
 * Defines a tool adapter: the code that talks to the outside for a task type. See docs/how-to/add-a-tool-adapter.md.
 */
import type { Json } from "../base/json/json.ts";
import type { Outcome, Stop, TaskTypeName, ToolCall } from "../engine/ports/tools.ts";
import type { Place } from "./target.ts";

interface AdapterBase {
  readonly type: TaskTypeName;
  /** Releases sockets, threads, and the like. All calls have ended before. */
  close?(): Promise<void>;
}

/**
 * An adapter that stays inside the service or has its own guards: no breaker, bulkhead, or deadline is applied to it.
 */
export interface LocalAdapter extends AdapterBase {
  readonly local: true;
  /** Makes one attempt, as {@link RemoteAdapter} does. */
  run(call: ToolCall, stop: Stop): Promise<Outcome>;
}

/** An adapter that calls something outside. */
export interface RemoteAdapter extends AdapterBase {
  readonly local: false;
  /**
   * Makes one attempt. May reject: the call path turns a rejection into an error of type TOOL_FAILED with unknown
   * effect. Must settle soon after `signal` aborts; its outcome is then a failure made by {@link abortedOutcome}.
   */
  run(call: ToolCall, signal: AbortSignal): Promise<Outcome>;
  /**
   * Returns the server that the call targets (`https://host:port`) and the service that it names, if any: each task and
   * origin has its own breaker and bulkhead. Never throws; the origin is empty if the input has no valid URL.
   */
  placeOf(call: ToolCall): Place;
  /**
   * Where the call goes and the names of the secrets that it gets, as far as its parameters do not say it; absent: they
   * say it all. What a person approves holds for no other destination. Never throws.
   */
  destinationOf?(call: ToolCall): Json;
  /** Whether the call changes nothing at its target, so that it may be repeated whatever has become of it. */
  isSafe?(call: ToolCall): boolean;
  /** The models that the call may ask, fallbacks included, as `provider/model`. */
  modelsOf?(call: ToolCall): readonly string[];
}

/** An adapter in the list of `tools/index.ts`. */
export type ToolAdapter = LocalAdapter | RemoteAdapter;
