/**
 * Questions of tasks, and what follows from their answers: `approval` tasks, interrupted graphs, and the gate, which
 * asks before a call.
 *
 *                    approved                        rejected, expired
 *   approval task    completed                       failed, or completed with `on_reject: continue`
 *   graph            its next dispatch has the answer, whatever it is
 *   gate             the attempt is made again       failed with GATE_DENIED
 */
import { invariant } from "../../../base/errors.ts";
import type { Json } from "../../../base/json/json.ts";
import { formatPath } from "../../../tasks/schema/format-path.ts";
import { findSchemaProblems } from "../../../tasks/schema/schema-keywords.ts";
import type { Suspension } from "../events.ts";
import type { Answer, ApprovalEnd, JournalRecord, TaskError } from "../records.ts";
import { mayBegin, type Run, specOf } from "../run.ts";
import type { Approval, TaskState } from "../state.ts";
import { closesAt } from "./limits.ts";
import { failTask, ownError } from "./outcomes.ts";

/** Returns the records of an attempt that ended with a question. */
export function suspendTask(run: Run, task: TaskState, suspension: Suspension, at: number): JournalRecord[] {
  const { key, wait, value, timeoutMs, gate } = suspension;
  const { path } = task;
  const spec = specOf(run, path);
  const form = wait.kind === "approval" ? (value.form ?? {}) : {};
  // `true` and `false` are schemas too, but a form is filled in by people.
  const [problem] = findSchemaProblems(typeof form === "boolean" ? null : form);
  if (problem !== undefined) {
    const message = `interrupt: ${formatPath(["form", ...problem.path])}: ${problem.description}`;
    return [failTask(spec, path, ownError("GRAPH_INTERRUPT_INVALID", message), at, {})];
  }
  const ends = [timeoutMs === null ? null : at + timeoutMs, gate === true ? closesAt(spec, task) : null];
  const set = ends.filter((time) => time !== null);
  const suspended: JournalRecord = {
    type: "task.suspended",
    at,
    task: path,
    key,
    ...(gate === true ? { gate } : {}),
    wait,
    value,
    dueAt: set.length === 0 ? null : Math.min(...set),
  };
  const queued = wait.kind === "signal" ? run.state.signals.find((signal) => signal.name === wait.name) : undefined;
  if (queued === undefined) return [suspended];
  return [
    suspended,
    { type: "signal.consumed", at, id: queued.id, name: queued.name, task: path },
    goOn(run, task, { key, value: queued.payload }, at),
  ];
}

/**
 * Returns the record that passes `value` to the interrupted graph at `task`. Under a hold the answer is kept and the
 * attempt begins on release.
 */
export function answerTask(run: Run, task: TaskState, value: Json, at: number): JournalRecord {
  return goOn(run, task, { key: task.suspension?.key ?? "", value }, at);
}

/** Makes the attempt again that has asked; one that needs a slot of a limit is put in line for it. */
function goOn(run: Run, task: TaskState, answer: Answer | null, at: number): JournalRecord {
  const { path, attempt, limitSlot, suspension } = task;
  const answered = answer === null ? {} : { answer };
  const repeats = suspension?.repeats === true;
  const isHeld = !mayBegin(run);
  if (!isHeld && limitSlot === null)
    return { type: "task.dispatched", at, task: path, attempt, ...answered, ...(repeats ? { again: true } : {}) };
  const [type, why] = isHeld ? ["RUN_HELD", "the run is held"] : ["LIMIT_WAIT", "the task waits for its limit"];
  const error: TaskError = {
    // Later dispatches know by this type that the call may have been made.
    type: repeats ? "ATTEMPT_LOST" : type,
    message: `the answer is there; ${why}`,
    retryable: true,
  };
  return { type: "task.retrying", at, task: path, error, dueAt: at, deferred: true, ...answered };
}

/** Returns the records that follow a decision on an approval; none when it is not pending. */
export function decideApproval(
  run: Run,
  id: number,
  decision: { approved: boolean; by: string; comment: string; data: Json },
  at: number,
): JournalRecord[] {
  const approval = run.state.approvals.get(id);
  if (approval?.state !== "PENDING") return [];
  const { approved, by, comment, data } = decision;
  return endApproval(run, approval, { state: approved ? "APPROVED" : "REJECTED", by, comment, data }, at);
}

/** Returns the records of an approval on which nobody decided in time. */
export function expireApproval(run: Run, task: TaskState, at: number): JournalRecord[] {
  const approval = run.state.approvals.get(task.token);
  invariant(approval !== undefined, `${task.path} waits for an approval that it did not ask for`);
  return endApproval(run, approval, { state: "EXPIRED", by: "", comment: "", data: null }, at);
}

/** How an approval ends. */
interface End {
  readonly state: ApprovalEnd;
  readonly by: string;
  readonly comment: string;
  readonly data: Json;
}

function endApproval(run: Run, { id, task: path }: Approval, end: End, at: number): JournalRecord[] {
  const task = run.state.tasks.get(path);
  invariant(task?.state === "WAITING" && task.token === id, `${path} does not wait for approval ${id}`);
  const ended: JournalRecord = { type: "approval.ended", at, task: path, approval: id, ...end };
  const { state, by, comment, data } = end;
  const spec = specOf(run, path);
  if (task.suspension?.gate === true) {
    if (state === "APPROVED") return [ended, goOn(run, task, null, at)];
    const message = `the gate asked, and ${state === "EXPIRED" ? EXPIRED : `the call was ${rejectionOf(end)}`}`;
    return [ended, failTask(spec, path, { ...ownError("GATE_DENIED", message), noEffect: true }, at, DECIDED)];
  }
  const output = { approved: state === "APPROVED", decision: DECISION[state], by, comment, data };
  if (task.suspension !== null) return [ended, answerTask(run, task, output, at)];
  if (state === "APPROVED" || spec.onReject === "continue")
    return [ended, { type: "task.completed", at, task: path, output }];
  const error =
    state === "EXPIRED" ? ownError("APPROVAL_TIMEOUT", EXPIRED) : ownError("APPROVAL_REJECTED", rejectionOf(end));
  return [ended, failTask(spec, path, error, at, DECIDED)];
}

const EXPIRED = "nobody decided in time";

const DECIDED = { decided: true } as const;

function rejectionOf({ by, comment }: End): string {
  const who = by === "" ? "rejected" : `rejected by ${by}`;
  return comment === "" ? who : `${who}: ${comment}`;
}

/** How the end of an approval appears to flows and graphs. */
const DECISION = {
  APPROVED: "approved",
  REJECTED: "rejected",
  EXPIRED: "expired",
} as const satisfies Record<ApprovalEnd, string>;
