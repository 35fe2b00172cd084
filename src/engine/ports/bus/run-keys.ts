/** The port of calls that name a run by its key, and of the calls to runs wherever they are. */
import type { Json, JsonObject } from "../../../base/json/json.ts";
import type { TraceContext } from "../../../base/traces/trace-context.ts";
import type { RunKeyPolicy } from "../run-control.ts";

/** The run that a request stands for. */
export interface ClaimedRun {
  readonly runId: string;
  /** False: an earlier call has chosen it. */
  readonly isNew: boolean;
}

/** Runs of requests. Errors: those of the store. */
export interface RunKeys {
  /** Whether there is or was a run with this id. */
  isTaken(tenantId: string, runId: string): Promise<boolean>;
  /** The run that the request id stands for; null: none yet. */
  findRun(tenantId: string, requestId: string): Promise<string | null>;
  /**
   * The run that the request id stands for: the open run of the flow with this key at the time of the first call,
   * durably. Null: none is open.
   */
  claimRun(tenantId: string, flowId: string, runKey: string, requestId: string): Promise<ClaimedRun | null>;
  /** The request stands for no run any more. */
  releaseRun(tenantId: string, requestId: string, runId: string): Promise<void>;
}

/** A start with a run key. Empty text: absent. */
export interface KeyedStart {
  readonly flowId: string;
  readonly version: string;
  readonly input: JsonObject;
  readonly runKey: string;
  readonly runKeyPolicy: RunKeyPolicy;
  readonly requestId: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly correlationId: string;
  readonly userId: string;
  /** As in `StartRequest`. */
  readonly hops?: number;
  readonly trace?: TraceContext | null;
}

/** A signal to a run. */
export interface RunSignal {
  readonly runId: string;
  readonly name: string;
  readonly payload: Json;
  /** Signals once. */
  readonly requestId: string;
}

/** Calls to runs, handled here or by their owners. They resolve when their effect is durable. `ownerDied`
 * is as in `BusCommands.start`. */
export interface RunCalls {
  /** Resolves with the id of the run. Errors: those of `RunControl.startRun`. */
  start(tenantId: string, actor: string, start: KeyedStart, ownerDied: () => void): Promise<string>;
  /** Errors: those of `RunControl.signalRun`. */
  signal(tenantId: string, actor: string, signal: RunSignal, ownerDied: () => void): Promise<void>;
}
