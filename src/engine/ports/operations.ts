/** Operations: tracked bulk jobs over runs. */
import type { Caller } from "./caller.ts";
import type { Lease } from "./leases.ts";
import type { Filter, ListOrder, RunPosition } from "./run-index.ts";

/** Kinds of holds that a resume may release. */
export type ReleasedHold = "operator" | "budget" | "limit" | "quarantine";

/** What an operation does to each run. */
export type OperationAction =
  | { readonly type: "cancel"; readonly reason: string; readonly compensate: boolean }
  | { readonly type: "terminate"; readonly reason: string }
  /** An empty list of holds means the operator's. */
  | { readonly type: "resume"; readonly reason: string; readonly holds: readonly ReleasedHold[] }
  | { readonly type: "delete" };

/** Which runs an operation covers: those that matched a filter and were created before it, or a list, each run once. */
export type OperationTarget =
  | { readonly type: "filter"; readonly text: string; readonly filter: Filter }
  | { readonly type: "runs"; readonly runIds: readonly string[] };

/**
 * `CANCELING`: no further runs are processed; those in progress are finished. `FAILED`: the operation itself could not
 * continue.
 */
export type OperationStateName = "RUNNING" | "CANCELING" | "COMPLETED" | "CANCELED" | "FAILED";

/** A run that the operation could not change, with the error. */
export interface OperationFailure {
  readonly runId: string;
  readonly code: string;
  readonly message: string;
}

/** The public state of an operation. `QUARANTINED`: its journal cannot be read. */
export type ShownOperationState = OperationStateName | "QUARANTINED";

/** An operation as of a commit. */
export interface OperationView {
  readonly operationId: string;
  readonly tenantId: string;
  readonly state: ShownOperationState;
  /** Null when the stored header is damaged there. */
  readonly action: OperationAction | null;
  /** CEL text of the filter; empty for a list of runs. */
  readonly filter: string;
  /** Number of runs to process, as counted at the start; at the end, the number that was processed. */
  readonly matched: number;
  /** Runs that are in the state that the action requires. */
  readonly done: number;
  readonly failed: number;
  /** The first {@link MAX_FAILURES}. */
  readonly failures: readonly OperationFailure[];
  /** Why the operation failed or cannot be read; empty otherwise. */
  readonly problem: string;
  /** Who started it; empty when unknown. */
  readonly by: string;
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly endedAt: number | null;
  /** What is wrong with the stored header; absent when it is intact. Other fields may be empty then. */
  readonly damage?: string;
}

/** Maximum number of failures that an operation stores; the others are only counted. */
export const MAX_FAILURES = 50;

/** A request to start an operation. */
export interface OperationRequest {
  readonly action: OperationAction;
  readonly target: OperationTarget;
  /** The same id with the same body returns the same operation. Empty: none. */
  readonly requestId: string;
  /** Hash of the body, compared when the request id is seen again. */
  readonly requestHash: string;
}

/**
 * Bulk jobs over the runs of a tenant. Errors: OPERATION_NOT_FOUND for unknown operations and those of other tenants,
 * OPERATION_MOVED, OPERATION_UNREADABLE, STORE_UNAVAILABLE, SHUTTING_DOWN.
 */
export interface Operations {
  /** Resolves when the start is durable. Errors: REQUEST_ID_REUSED, NO_SHARD. */
  startOperation(caller: Caller, request: OperationRequest): Promise<OperationView>;
  getOperation(caller: Caller, operationId: string): Promise<OperationView>;
  /** Newest first by default. */
  listOperations(
    caller: Caller,
    after: OperationPosition | null,
    limit: number,
    order?: ListOrder,
  ): Promise<readonly OperationView[]>;
  /**
   * Resolves when the operation has ended, `waitMs` have passed, or `signal` aborts, with the operation in its current
   * state.
   */
  waitOperation(caller: Caller, operationId: string, waitMs: number, signal: AbortSignal): Promise<OperationView>;
  /**
   * Resolves when the request to cancel is durable. An operation that has ended is returned unchanged, and one that
   * cannot be read ends.
   */
  cancelOperation(caller: Caller, operationId: string): Promise<OperationView>;
}

/** Where a list of operations continues: the last line of the previous page. */
export interface OperationPosition {
  readonly createdAt: number;
  readonly operationId: string;
}

/** Applies the action of an operation to one run, wherever the run is owned. */
export interface RunActions {
  /**
   * Resolves when the run is in the state that the action requires. Repeated calls with the same `requestId` have one
   * effect. Errors: those of the call on the run.
   */
  apply(caller: Caller, action: OperationAction, runId: string, requestId: string, signal: AbortSignal): Promise<void>;
}

/** Progress of an operation: the last run processed, or a position in a list of ids. */
export type OperationProgress = RunPosition | number | null;

/** An operation as stored. */
export interface StoredOperation {
  readonly operationId: string;
  readonly shard: number;
  readonly day: number;
  readonly moving: boolean;
  readonly records: readonly { readonly type: string; readonly at: number }[];
  /** Sequence of the last record; 0 if there is none. */
  readonly sequence: number;
  /** Size of the stored records, characters. */
  readonly size: number;
  /** Of the header. */
  readonly tenantId: string;
  readonly hasEnded: boolean;
}

/** Access to stored operations. */
export interface OperationStore {
  /** Loads an operation with all its records, which may be damaged; null when there is none. */
  load(operationId: string): Promise<StoredOperation | null>;
  /** Ids of the open operations of these shards, oldest first. */
  listOpen(shards: readonly number[]): Promise<readonly string[]>;
  /**
   * Marks an open operation that cannot be read as QUARANTINED. Returns false if the lease is not held or there was
   * nothing to do.
   */
  quarantine(lease: Lease, operationId: string, problem: string): Promise<boolean>;
  /** Ends an open operation without reading it. Returns false if the lease is not held or it is not open. */
  endUnread(lease: Lease, operationId: string): Promise<boolean>;
  find(tenantId: string, operationId: string): Promise<OperationView | null>;
  list(
    tenantId: string,
    after: OperationPosition | null,
    limit: number,
    order: ListOrder,
  ): Promise<readonly OperationView[]>;
}
