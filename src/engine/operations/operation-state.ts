/**
 * The state of an operation, and the records that make it:
 *
 *   started → RUNNING ──advanced (a page of runs)──→ … ──ended──→ COMPLETED
 *                │ └── canceling → CANCELING ── the page under way is finished ──ended──→ CANCELED
 *                └── the runtime cannot go on with it ──ended──→ FAILED
 */
import { invariant } from "../../base/errors.ts";
import {
  MAX_FAILURES,
  type OperationAction,
  type OperationFailure,
  type OperationProgress,
  type OperationStateName,
  type OperationTarget,
} from "../ports/operations.ts";

interface At {
  /** Milliseconds since the epoch. */
  readonly at: number;
}

/** What came of a page of runs. */
export interface PageResult {
  readonly progress: OperationProgress;
  readonly done: number;
  readonly failed: number;
  readonly failures: readonly OperationFailure[];
}

/** A durable fact about an operation. */
export type OperationRecord =
  | (At & {
      readonly type: "operation.started";
      readonly tenantId: string;
      readonly by: string;
      readonly action: OperationAction;
      readonly target: OperationTarget;
      /** Runs that are to be taken, as counted at the start. */
      readonly matched: number;
      readonly requestHash: string;
      /** Request id of the calls on runs. Absent in older records, whose operations use `operation/<id>`. */
      readonly runRequestId?: string;
    })
  | (At & PageResult & { readonly type: "operation.advanced" })
  | (At & { readonly type: "operation.canceling"; readonly by: string })
  | (At & {
      readonly type: "operation.ended";
      readonly state: "COMPLETED" | "CANCELED" | "FAILED";
      readonly problem: string;
    });

/** State of an operation. Changed by {@link applyRecord} alone. */
export interface OperationState {
  readonly operationId: string;
  tenantId: string;
  by: string;
  action: OperationAction;
  target: OperationTarget;
  requestHash: string;
  runRequestId: string;
  state: OperationStateName;
  matched: number;
  done: number;
  failed: number;
  failures: readonly OperationFailure[];
  problem: string;
  progress: OperationProgress;
  /** Pages that were taken. */
  pages: number;
  sequence: number;
  createdAt: number;
  updatedAt: number;
  endedAt: number | null;
}

/** An operation before its first record. */
export function createOperationState(operationId: string): OperationState {
  return {
    operationId,
    tenantId: "",
    by: "",
    action: { type: "delete" },
    target: { type: "runs", runIds: [] },
    requestHash: "",
    runRequestId: "",
    state: "RUNNING",
    matched: 0,
    done: 0,
    failed: 0,
    failures: [],
    problem: "",
    progress: null,
    pages: 0,
    sequence: 0,
    createdAt: 0,
    updatedAt: 0,
    endedAt: null,
  };
}

/** True when nothing can happen to the operation any more. */
export function hasEnded({ state }: OperationState): boolean {
  return state !== "RUNNING" && state !== "CANCELING";
}

/** Changes `state` by one record. Throws for a record that is not legal, or of a newer build. */
export function applyRecord(state: OperationState, record: OperationRecord): void {
  invariant(!hasEnded(state), `${record.type} after the end of operation ${state.operationId}`);
  state.sequence += 1;
  invariant((record.type === "operation.started") === (state.sequence === 1), "a journal begins with a start, once");
  state.updatedAt = record.at;
  switch (record.type) {
    case "operation.started":
      state.tenantId = record.tenantId;
      state.by = record.by;
      state.action = record.action;
      state.target = record.target;
      state.matched = record.matched;
      state.requestHash = record.requestHash;
      state.runRequestId = record.runRequestId ?? `operation/${state.operationId}`;
      state.createdAt = record.at;
      return;
    case "operation.advanced":
      state.progress = record.progress;
      state.pages += 1;
      state.done += record.done;
      state.failed += record.failed;
      state.failures = [...state.failures, ...record.failures].slice(0, MAX_FAILURES);
      return;
    case "operation.canceling":
      state.state = "CANCELING";
      return;
    case "operation.ended":
      state.state = record.state;
      state.problem = record.problem;
      state.endedAt = record.at;
      if (record.state === "COMPLETED") state.matched = state.done + state.failed;
      return;
    default:
      throw new Error(`unknown record ${JSON.stringify(record satisfies never)}`);
  }
}
