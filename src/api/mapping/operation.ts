/** Converts operations from and to messages of the contract. */
import { create } from "@bufbuild/protobuf";
import { isValidTime } from "../../base/time/time-range.ts";
import type {
  OperationAction as Action,
  OperationView,
  ReleasedHold,
  ShownOperationState,
} from "../../engine/ports/operations.ts";
import {
  type Operation,
  OperationAction,
  OperationSchema,
  OperationState,
} from "../../gen/orchestrator/v1/operation_pb.ts";
import type { StartOperationRequest } from "../../gen/orchestrator/v1/operation_service_pb.ts";
import { HoldKind } from "../../gen/orchestrator/v1/run_pb.ts";
import { toTimestamp } from "./time.ts";

/** States of operations in the contract. */
export const OPERATION_STATE = {
  RUNNING: OperationState.RUNNING,
  CANCELING: OperationState.CANCELING,
  COMPLETED: OperationState.COMPLETED,
  CANCELED: OperationState.CANCELED,
  FAILED: OperationState.FAILED,
  QUARANTINED: OperationState.QUARANTINED,
} as const satisfies Record<ShownOperationState, OperationState>;

/** Actions of operations in the contract. */
export const OPERATION_ACTION = {
  cancel: OperationAction.CANCEL,
  terminate: OperationAction.TERMINATE,
  resume: OperationAction.RESUME,
  delete: OperationAction.DELETE,
} as const satisfies Record<Action["type"], OperationAction>;

const HOLDS = {
  operator: HoldKind.OPERATOR,
  budget: HoldKind.BUDGET,
  limit: HoldKind.LIMIT,
  quarantine: HoldKind.QUARANTINE,
} as const satisfies Record<ReleasedHold, HoldKind>;

export function toOperation(view: OperationView): Operation {
  const { action } = view;
  return create(OperationSchema, {
    operationId: view.operationId,
    tenantId: view.tenantId,
    state: OPERATION_STATE[view.state],
    action: action === null ? OperationAction.UNSPECIFIED : OPERATION_ACTION[action.type],
    filter: view.filter,
    reason: action === null || action.type === "delete" ? "" : action.reason,
    compensate: action?.type === "cancel" && action.compensate,
    holdKinds: action?.type === "resume" ? toHoldKinds(action.holds) : [],
    matchedCount: view.matched,
    doneCount: view.done,
    failedCount: view.failed,
    failures: view.failures.map(({ runId, code, message }) => ({ runId, reason: code, message })),
    problem: view.problem,
    startedBy: view.by,
    damage: view.damage ?? "",
    ...(isValidTime(view.createdAt) ? { createTime: toTimestamp(view.createdAt) } : {}),
    updateTime: toTimestamp(view.updatedAt),
    ...(view.endedAt === null ? {} : { endTime: toTimestamp(view.endedAt) }),
  });
}

export function toHoldKinds(holds: readonly ReleasedHold[]): HoldKind[] {
  return holds.map((hold) => HOLDS[hold]);
}

/** Reads the action of a request. */
export function fromAction({ action, reason, compensate, holdKinds }: StartOperationRequest): Action {
  switch (action) {
    case OperationAction.CANCEL:
      return { type: "cancel", reason, compensate };
    case OperationAction.TERMINATE:
      return { type: "terminate", reason };
    case OperationAction.RESUME:
      return { type: "resume", reason, holds: holdKinds.map(fromHoldKind) };
    case OperationAction.DELETE:
      return { type: "delete" };
    default:
      throw new Error(`validation let the action ${action} pass`);
  }
}

function fromHoldKind(kind: HoldKind): ReleasedHold {
  const found = (Object.keys(HOLDS) as ReleasedHold[]).find((name) => HOLDS[name] === kind);
  if (found === undefined) throw new Error(`validation let the hold ${kind} pass`);
  return found;
}
