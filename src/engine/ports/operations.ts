/** Operations: tracked bulk jobs over runs. */
import type { Caller } from "./caller.ts";
import type { Filter, RunPosition } from "./run-index.ts";

/** Kinds of holds that a resume may release. */
export type ReleasedHold = "operator" | "budget" | "limit" | "quarantine";

/** What an operation does to each run. */
export type OperationAction =
  | { readonly type: "cancel"; readonly reason: string; readonly compensate: boolean }
  | { readonly type: "terminate"; readonly reason: string }
  /** An empty list of holds means the operator's. */
  | { readonly type: "resume"; readonly reason: string; readonly holds: readonly ReleasedHold[] }
  | { readonly type: "delete" };

/** Which runs an operation takes: those that met a filter and were created before it, or a list, each run once. */
export type OperationTarget =
  | { readonly type: "filter"; readonly text: string; readonly filter: Filter }
  | { readonly type: "runs"; readonly runIds: readonly string[] };

/** `CANCELING`: no further run is taken, those under way are finished. `FAILED`: the operation itself could not go on. */
export type OperationStateName = "RUNNING" | "CANCELING" | "COMPLETED" | "CANCELED" | "FAILED";

/** A run that the operation could not change, with the error. */
export interface OperationFailure {
  readonly runId: string;
  readonly code: string;
  readonly message: string;
}

/** An operation as it was at a commit. */
export interface OperationView {
  readonly operationId: string;
  readonly tenantId: string;
  readonly state: OperationStateName;
  readonly action: OperationAction;
  /** CEL text of the filter; empty for a list of runs. */
  readonly filter: string;
  /** Runs that are to be taken, as counted at the start; at the end, as many as were taken. */
  readonly matched: number;
  /** Runs that are as the action wants them. */
  readonly done: number;
  readonly failed: number;
  /** The first {@link MAX_FAILURES}. */
  readonly failures: readonly OperationFailure[];
  /** Why the operation failed; empty otherwise. */
  readonly problem: string;
  /** Who started it; empty when unknown. */
  readonly by: string;
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly endedAt: number | null;
}

/** Failures that an operation keeps; the others are only counted. */
export const MAX_FAILURES = 50;

/** A start of an operation. */
export interface OperationRequest {
  readonly action: OperationAction;
  readonly target: OperationTarget;
  /** The same id and body again: the same operation. Empty: none. */
  readonly requestId: string;
  /** Hash of the body, compared when the request id is seen again. */
  readonly requestHash: string;
}

/** Bulk jobs over the runs of a tenant. Errors: OPERATION_NOT_FOUND for unknown and foreign ones, OPERATION_MOVED, STORE_UNAVAILABLE, SHUTTING_DOWN. */
export interface Operations {
  /** Resolves when the start is durable. Errors: REQUEST_ID_REUSED, NO_SHARD. */
  startOperation(caller: Caller, request: OperationRequest): Promise<OperationView>;
  getOperation(caller: Caller, operationId: string): Promise<OperationView>;
  /** The newest first. */
  listOperations(caller: Caller, after: OperationPosition | null, limit: number): Promise<readonly OperationView[]>;
  /** Resolves when the operation has ended, `waitMs` have passed, or `signal` aborts, with the operation as it is then. */
  waitOperation(caller: Caller, operationId: string, waitMs: number, signal: AbortSignal): Promise<OperationView>;
  /** Resolves when the wish is durable. An operation that has ended is answered as it is. */
  cancelOperation(caller: Caller, operationId: string): Promise<OperationView>;
}

/** Where a list of operations goes on: the last line of the page before. */
export interface OperationPosition {
  readonly createdAt: number;
  readonly operationId: string;
}

/** Does what an operation wants to one run, wherever it lives. */
export interface RunActions {
  /**
   * Resolves when the run is as the action wants it. With the same `requestId` it has its effect once, however often it is called. Errors: those of the call on
   * the run.
   */
  apply(caller: Caller, action: OperationAction, runId: string, requestId: string, signal: AbortSignal): Promise<void>;
}

/** How far an operation has come: behind this run of the list, or the place in a list of ids. */
export type OperationProgress = RunPosition | number | null;

/** An operation as the store has it. */
export interface StoredOperation {
  readonly operationId: string;
  readonly shard: number;
  readonly day: number;
  readonly moving: boolean;
  readonly records: readonly { readonly type: string; readonly at: number }[];
  /** Size of the records as they are written, characters. */
  readonly size: number;
}

/** What is stored of operations. */
export interface OperationStore {
  /** With all records; null when there is none. */
  load(operationId: string): Promise<StoredOperation | null>;
  /** Ids of the open operations of these shards, the oldest first. */
  listOpen(shards: readonly number[]): Promise<readonly string[]>;
  find(tenantId: string, operationId: string): Promise<OperationView | null>;
  list(tenantId: string, after: OperationPosition | null, limit: number): Promise<readonly OperationView[]>;
}
