import type { ApprovalRow } from "../../engine/runs/projections/approvals.ts";
import { number, optionalTime, safeText, text, time } from "../journal/columns.ts";
import { defineTable } from "../journal/projection-table.ts";

/** The journal of its run is the source of truth for each approval. */
export const approvalTable = defineTable<ApprovalRow>("approvals", {
  columns: {
    approval_id: number("int4", ({ approval }) => approval.id),
    task_path: text(({ approval }) => approval.task),
    tenant_id: text(({ tenantId }) => tenantId),
    flow_id: text(({ flowId }) => flowId),
    state: safeText(({ approval }) => approval.state),
    parameters: text(({ approval }) => JSON.stringify(approval.parameters)),
    created_at: time(({ approval }) => approval.createdAt),
    due_at: optionalTime(({ approval }) => approval.dueAt),
    decided_at: optionalTime(({ approval }) => approval.endedAt),
    decided_by: text(({ approval }) => approval.by),
    comment: text(({ approval }) => approval.comment),
    data: text(({ approval }) => JSON.stringify(approval.data)),
  },
  write: ({ insert }) => `${insert}
  ON CONFLICT (run_id, approval_id) DO UPDATE
  SET state = excluded.state, decided_at = excluded.decided_at, decided_by = excluded.decided_by, comment = excluded.comment, data = excluded.data`,
  close: `UPDATE orchestrator.approvals a SET state = 'CANCELED', decided_at = to_timestamp($4::float8 / 1000)
  FROM ended e WHERE a.run_id = e.run_id AND a.state = 'PENDING'`,
});
