/** Starts and controls runs. Everything that changes a run resolves only after the change is durable. */
import type { Json, JsonObject } from "../../base/json/json.ts";
import type { TraceContext } from "../../base/traces/trace-context.ts";
import type { BudgetSpec, RunLimit } from "../../flows/plan.ts";
import type { Outcome, RequestKey } from "../machine/events.ts";
import type { HoldKind } from "../machine/records.ts";
import type { Caller } from "./caller.ts";
import type { RunView } from "./run-reader.ts";

/** What to do when a run with the same `runKey` is open. */
export type RunKeyPolicy = "reject" | "return_existing" | "terminate_and_start";

/** Why a run that somebody has asked for cannot begin. */
export interface Refusal {
  /** Error code. */
  readonly type: string;
  readonly message: string;
}

/** A start request. Empty strings mean absent. */
export interface StartRequest {
  readonly flowId: string;
  /** Empty: the most recently registered version. */
  readonly version: string;
  readonly input: JsonObject;
  /** Same id and same body: the same run again. Same id and different body: REQUEST_ID_REUSED. */
  readonly requestId: string;
  /** Hash of the body, hex; compared when the request id is seen again. Empty when there is no request id. */
  readonly requestHash: string;
  /** Run id chosen by the caller: unique forever. */
  readonly runId: string;
  /** The run id that the service draws is a UUID instead of a minted one; absent: minted. */
  readonly drawsUuid?: true;
  /** The flow is one of the service itself; absent: such flows are refused. */
  readonly builtIn?: true;
  /**
   * The start comes with a message, whose place in the log is not read again once the run is old: its run id is unique
   * as long as the run or its tombstone exists, and leaves nothing behind that outlives both.
   */
  readonly fromMessage: boolean;
  /** Why the run cannot begin: it fails with this error at once, without a version of its flow. Null: it begins. */
  readonly refusal: Refusal | null;
  /** At most one open run per tenant, flow, and key. */
  readonly runKey: string;
  readonly runKeyPolicy: RunKeyPolicy;
  readonly labels: Readonly<Record<string, string>>;
  readonly userId: string;
  readonly correlationId: string;
  readonly context: JsonObject | null;
  /** Milliseconds; null: the timeout of the flow, or else of the service. */
  readonly runTimeoutMs: number | null;
  /** The first task starts no earlier than this many milliseconds after the start. */
  readonly startDelayMs: number;
  readonly signals: readonly { readonly name: string; readonly payload: Json }[];
  /** The run waits for a slot of this limit; absent: for one of the limit of its flow, if that has one. */
  readonly limit?: RunLimit;
  /** What the run and its child runs may spend; absent: what its flow says. */
  readonly budget?: BudgetSpec;
  /** Requests of runs that led to this one; absent: none. */
  readonly hops?: number;
  /** The position in a trace that the start came with; absent or null: none. */
  readonly trace?: TraceContext | null;
}

/** Result of a start. */
export interface StartResult {
  readonly run: RunView;
  /**
   * True when this call, or an earlier one with the same request id, started the run; false when the run_key policy
   * `return_existing` returned another one.
   */
  readonly started: boolean;
}

/**
 * Errors: RUN_NOT_FOUND for unknown runs and those of other tenants, RUN_FINISHED where an open run is needed,
 * RUN_MOVED for runs that another instance owns, NO_SHARD for starts while this instance owns none, STORE_UNAVAILABLE,
 * SHUTTING_DOWN.
 */
export interface RunControl {
  /**
   * Resolves when the start is durable; with `waitMs` > 0, when the run has ended, the time is up, `signal` aborts, or
   * the service drains. Errors: FLOW_NOT_FOUND, FLOW_RESERVED, FLOW_INPUT_INVALID, RUN_ALREADY_EXISTS, RUN_KEY_OPEN,
   * REQUEST_ID_REUSED.
   */
  startRun(caller: Caller, request: StartRequest, waitMs: number, signal?: AbortSignal): Promise<StartResult>;
  /** Starts many runs; each request has its own result or error, in request order. */
  startRuns(
    caller: Caller,
    requests: readonly StartRequest[],
    waitMs: number,
    signal?: AbortSignal,
  ): Promise<readonly (StartResult | Error)[]>;
  /**
   * Takes a request id for a call that starts several runs. Error: REQUEST_ID_REUSED if a start, or a call with
   * another hash, has it.
   */
  claimRequest(caller: Caller, requestId: string, requestHash: string): Promise<void>;
  /**
   * Calls that change a run take a key. Repeating a key returns the run in its current state; the same id with another
   * hash is REQUEST_ID_REUSED.
   */
  signalRun(caller: Caller, runId: string, name: string, payload: Json, request?: RequestKey): Promise<RunView>;
  /**
   * Ends an attempt whose work is done elsewhere, in the place of the one that does it; `why` is recorded. A task that
   * has ended that way is returned as it is. Errors: RUN_TASK_NOT_FOUND, TASK_STATE_INVALID.
   */
  tellTask(
    caller: Caller,
    runId: string,
    task: string,
    outcome: Outcome,
    why: string,
    request?: RequestKey,
  ): Promise<RunView>;
  cancelRun(caller: Caller, runId: string, reason: string, compensate: boolean, request?: RequestKey): Promise<RunView>;
  terminateRun(caller: Caller, runId: string, reason: string, request?: RequestKey): Promise<RunView>;
  /**
   * Deletes an ended run with all its data; resolves with the time of the deletion, milliseconds. Its id stays taken.
   * Error: RUN_STATE_INVALID while the run, its parent, or one of its children is open.
   */
  deleteRun(caller: Caller, runId: string): Promise<number>;
  pauseRun(caller: Caller, runId: string, reason: string, request?: RequestKey): Promise<RunView>;
  /** Releases holds of the given kinds; an empty list means the operator hold. */
  resumeRun(
    caller: Caller,
    runId: string,
    kinds: readonly HoldKind[],
    reason: string,
    request?: RequestKey,
  ): Promise<RunView>;
}
