/** The small facts that all parts of the machine share: steps, failures, verdicts. */
import type { TaskSpec } from "../../../flows/plan.ts";
import type { Need } from "../events.ts";
import { isCompensation } from "../paths.ts";
import type { DeadLetterReason, JournalRecord, TaskError } from "../records.ts";
import type { TaskState } from "../state.ts";
import { isEnded, isFailure, isSuccess } from "./task-ends.ts";

/** What a run can do next: records that follow, or a value that must be evaluated first. */
export type Step = { readonly records: readonly JournalRecord[] } | { readonly need: Need };

/**
 * The record of a final failure, with what the task's policy makes of it. A failure that nothing handles is a dead letter, for the reason `deadLetter`: when absent, what
 * the error and its timeout say. What a person decided, or nobody did in time, is a result and no dead letter, but for that of a compensation.
 */
export function failTask(
  spec: TaskSpec,
  path: string,
  error: TaskError,
  at: number,
  more: { timedOut?: boolean; deadLetter?: DeadLetterReason; first?: string | null },
): JournalRecord {
  const isHandled = spec.onError === "continue";
  const isDecision = DECISIONS.has(error.type) && spec.type === "approval" && !isCompensation(path);
  return {
    type: "task.failed",
    at,
    task: path,
    error,
    ...(more.timedOut ? { timedOut: true } : {}),
    ...(isHandled ? { handled: true } : {}),
    ...(isHandled || isDecision ? {} : { deadLetter: more.deadLetter ?? reasonOf(error, more.timedOut === true) }),
    ...withFirst(more.first ?? null),
  };
}

const DECISIONS: ReadonlySet<string> = new Set(["APPROVAL_REJECTED", "APPROVAL_TIMEOUT"]);

function reasonOf(error: TaskError, timedOut: boolean): DeadLetterReason {
  return timedOut && !error.retryable ? "OUT_OF_TIME" : "NOT_RETRYABLE";
}

/** An error of the engine itself: final. */
export function ownError(type: string, message: string): TaskError {
  return { type, message, retryable: false };
}

const NO_FIRST: { first?: string } = Object.freeze({});

/** The field `first` of a record, if there is one. */
export function withFirst(first: string | null): { first?: string } {
  return first === null ? NO_FIRST : { first };
}

/** `success`, `failure`, `neutral` (skipped, not taken) of an ended task; null while it is open. */
export function verdictOf(task: TaskState | undefined): "success" | "failure" | "neutral" | null {
  if (task === undefined || !isEnded(task)) return null;
  if (isSuccess(task)) return "success";
  return isFailure(task) ? "failure" : "neutral";
}
