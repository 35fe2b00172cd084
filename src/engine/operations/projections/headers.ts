import type { RowMaker } from "../../ports/projections.ts";
import type { OperationRecord, OperationState } from "../operation-state.ts";

/** The row of an operation: its state after the transition. */
export interface OperationRow {
  readonly state: OperationState;
}

const toRow = (state: OperationState): OperationRow => ({ state });

/** The header of an operation: what lists and callers see, and what a takeover looks for. */
export const operationRows: RowMaker<OperationState, OperationRecord, OperationRow> = {
  projection: "operations",
  on: {
    "operation.started": toRow,
    "operation.advanced": toRow,
    "operation.canceling": toRow,
    "operation.ended": toRow,
  },
  // One row for each transition, however many records it has.
  keyOf: () => 0,
};
