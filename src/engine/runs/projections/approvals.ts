import type { JournalRecord } from "../../machine/records.ts";
import type { Run } from "../../machine/run.ts";
import type { Approval, RunState } from "../../machine/state.ts";
import type { RowMaker } from "../../ports/projections.ts";

/** An approval that began or ended, as it is after the transition. */
export interface ApprovalRow {
  readonly approval: Approval;
  readonly tenantId: string;
  readonly flowId: string;
}

/** Approvals, for lists over all runs. A row is written when an approval begins and again when it ends. */
export const approvalRows: RowMaker<Run, JournalRecord, ApprovalRow> = {
  projection: "approvals",
  on: {
    "task.waiting": ({ state }, { wait }, sequence) => (wait.kind === "approval" ? toRow(state, sequence) : null),
    "task.suspended": ({ state }, { wait }, sequence) => (wait.kind === "approval" ? toRow(state, sequence) : null),
    "approval.ended": ({ state }, { approval }) => toRow(state, approval),
    // No record says that the approval was canceled: its task was.
    "task.canceled": ({ state }, { task: path }) => {
      const task = state.tasks.get(path);
      return task?.wait?.kind === "approval" ? toRow(state, task.token) : null;
    },
  },
  keyOf: ({ approval }) => approval.id,
};

function toRow(state: RunState, id: number): ApprovalRow | null {
  const approval = state.approvals.get(id);
  return approval === undefined ? null : { approval, tenantId: state.tenantId, flowId: state.flowId };
}
