import type { JournalRecord } from "../../machine/records.ts";
import type { Run } from "../../machine/run.ts";
import type { Approval, RunState } from "../../machine/state.ts";
import type { RowMaker } from "../../ports/projections.ts";

/** A new or ended approval after the transition. */
export interface ApprovalRow {
  readonly approval: Approval;
  readonly tenantId: string;
  readonly flowId: string;
}

/** Approvals, for lists over all runs. The row is written when an approval begins and when it ends. */
export const approvalRows: RowMaker<Run, JournalRecord, ApprovalRow> = {
  projection: "approvals",
  on: {
    "task.waiting": ({ state }, { wait }, sequence) => (wait.kind === "approval" ? toRow(state, sequence) : null),
    "task.suspended": ({ state }, { wait }, sequence) => (wait.kind === "approval" ? toRow(state, sequence) : null),
    "approval.ended": ({ state }, { approval }) => toRow(state, approval),
    // A canceled approval has no record of its own, only its task has.
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
