/**
 * Approvals in the state of a run: the only place that determines how each one ended. Lists, reads, and events derive
 * from it.
 *
 *   a task, a graph, or the gate asks → PENDING → `approval.ended` → APPROVED | REJECTED | EXPIRED
 *                               └─ its task stops waiting without that record → CANCELED
 */
import { invariant } from "../../../base/errors.ts";
import type { Json, JsonObject } from "../../../base/json/json.ts";
import type { JournalRecord } from "../records.ts";
import type { RunState, TaskState } from "../state.ts";

/** The current record asks a question. Its sequence is the id. */
export function openApproval(
  state: RunState,
  { task, at, dueAt }: { readonly task: string; readonly at: number; readonly dueAt: number | null },
  asked: Json,
): void {
  const id = state.sequence;
  const parameters = typeof asked === "object" && asked !== null && !Array.isArray(asked) ? (asked as JsonObject) : {};
  const open = { state: "PENDING", endedAt: null, by: "", comment: "", data: null } as const;
  state.approvals.set(id, { id, task, parameters, createdAt: at, dueAt, ...open });
}

/** A person decided, or the approval expired. */
export function endApproval(state: RunState, record: Extract<JournalRecord, { type: "approval.ended" }>): void {
  const approval = state.approvals.get(record.approval);
  invariant(approval?.state === "PENDING", `approval ${record.approval} of run ${state.runId} is not pending`);
  const { state: ended, by, comment, data, at } = record;
  state.approvals.set(approval.id, { ...approval, state: ended, by, comment, data, endedAt: at });
}

/** What the gate asked about was approved: later attempts have that word, and the time until it came is not theirs. */
export function noteConsent(state: RunState, record: Extract<JournalRecord, { type: "approval.ended" }>): void {
  const task = state.tasks.get(record.task);
  if (record.state !== "APPROVED" || task?.suspension?.gate !== true) return;
  task.approvedCall = task.suspension.key;
  task.readyAt = record.at;
}

/** The task stops waiting: an approval that is still pending is canceled. */
export function cancelApproval(state: RunState, task: TaskState): void {
  const approval = state.approvals.get(task.token);
  if (approval?.state === "PENDING")
    state.approvals.set(approval.id, { ...approval, state: "CANCELED", endedAt: state.updatedAt });
}
