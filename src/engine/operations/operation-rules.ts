/** The pure part of the operation kind. */
import { invariant } from "../../base/errors.ts";
import type { OperationAction, OperationTarget, StoredOperation } from "../ports/operations.ts";
import type { Rules, RuntimeEvent } from "../shard/kind.ts";
import type { Resident } from "../shard/resident.ts";
import {
  applyRecord,
  createOperationState,
  hasEnded,
  type OperationRecord,
  type OperationState,
  type PageResult,
} from "./operation-state.ts";

/** Something that happens to an operation. */
export type OperationEvent =
  | {
      readonly type: "start";
      readonly at: number;
      readonly tenantId: string;
      readonly by: string;
      readonly action: OperationAction;
      readonly target: OperationTarget;
      readonly matched: number;
      readonly requestHash: string;
    }
  /**
   * A page was taken: the one after `pages` others. Ignored when another one was taken since. `last`: no run is left.
   */
  | ({ readonly type: "page"; readonly at: number; readonly pages: number; readonly last: boolean } & PageResult)
  | { readonly type: "cancel"; readonly at: number; readonly by: string };

/** The types of the operation kind. */
export interface OperationTypes {
  readonly entity: OperationState;
  readonly event: OperationEvent;
  readonly record: OperationRecord;
  readonly stored: StoredOperation;
  readonly work: OperationWork;
}

/** An operation in memory. */
export type OperationResident = Resident<OperationTypes>;

/** What an operation keeps beside its state. */
export interface OperationWork {
  /** Ends the page under way; null when none is. */
  page: AbortController | null;
}

/** Folds the records of an operation. */
export function foldOperation(operationId: string, records: Iterable<OperationRecord>): OperationState {
  const state = createOperationState(operationId);
  for (const record of records) applyRecord(state, record);
  return state;
}

/** Records that an event makes. */
function decide(state: OperationState, event: OperationEvent | RuntimeEvent): readonly OperationRecord[] {
  if (hasEnded(state)) return [];
  const { at } = event;
  switch (event.type) {
    case "start": {
      invariant(state.sequence === 0, `operation ${state.operationId} has started`);
      const { tenantId, by, action, target, matched, requestHash } = event;
      // The id may have been that of another operation, which was removed long ago; its runs remember the calls.
      const runRequestId = `operation/${state.operationId}/${at.toString(36)}`;
      return [{ type: "operation.started", at, tenantId, by, action, target, matched, requestHash, runRequestId }];
    }
    case "page": {
      if (event.pages !== state.pages) return [];
      const { progress, done, failed, failures } = event;
      const advanced = { type: "operation.advanced", at, progress, done, failed, failures } as const;
      if (event.last) return [advanced, { type: "operation.ended", at, state: "COMPLETED", problem: "" }];
      if (state.state === "CANCELING")
        return [advanced, { type: "operation.ended", at, state: "CANCELED", problem: "" }];
      return [advanced];
    }
    case "cancel":
      return state.state === "RUNNING" ? [{ type: "operation.canceling", at, by: event.by }] : [];
    case "hold":
      return event.hold === "quarantine" ? [{ type: "operation.ended", at, state: "FAILED", problem: event.why }] : [];
    case "due":
    case "continue":
    case "recover":
      return [];
  }
}

/** Rules of operations. An open operation is always at work, so it has no timers and never rests. */
export const OPERATION_RULES: Rules<OperationTypes> = {
  advance: (state, event) => {
    const records = [...decide(state, event)];
    for (const record of records) applyRecord(state, record);
    return records;
  },
  reset: ({ operationId }) => createOperationState(operationId),
  sequenceOf: ({ sequence }) => sequence,
  nextDueAt: () => null,
  hasEnded,
  isUnsettled: () => false,
  setUnsettled: () => {},
  canRest: () => false,
  hasProgressed: () => true,
  mustStart: () => false,
  canHold: () => false,
  sizeOf: () => 0,
  momentOf: ({ type }) => type,
};
