/** Small types and helpers that all parts of the machine share: steps, failures, verdicts. */
import type { TaskSpec } from "../../../flows/plan.ts";
import type { Need } from "../events.ts";
import { isCompensation } from "../paths.ts";
import type { DeadLetterReason, JournalRecord, TaskError } from "../records.ts";
import type { TaskState } from "../state.ts";
import { isEnded, isFailure, isSuccess } from "./task-ends.ts";

/** What a run can do next: produce records, or evaluate a value first. */
export type Step = { readonly records: readonly JournalRecord[] } | { readonly need: Need };

/**
 * Returns the record of a final failure, with its handling by the task's policy. An unhandled failure is a dead letter,
 * with the reason `deadLetter`, or if absent, the reason derived from the error and its timeout. What a person has
 * `decided`, or nobody in time, is a result and not a dead letter, except in a compensation.
 */
export function failTask(
  spec: TaskSpec,
  path: string,
  error: TaskError,
  at: number,
  more: { timedOut?: boolean; deadLetter?: DeadLetterReason; first?: string | null; decided?: boolean },
): JournalRecord {
  const isHandled = spec.onError === "continue";
  const isDecision = more.decided === true && !isCompensation(path);
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

function reasonOf(error: TaskError, timedOut: boolean): DeadLetterReason {
  return timedOut && !error.retryable ? "OUT_OF_TIME" : "NOT_RETRYABLE";
}

/** An error raised by the engine: final. */
export function ownError(type: string, message: string): TaskError {
  return { type, message, retryable: false };
}

const NO_FIRST: { first?: string } = Object.freeze({});

/** The field `first` of a record, if there is one. */
export function withFirst(first: string | null): { first?: string } {
  return first === null ? NO_FIRST : { first };
}

/** Verdict of an ended task: `success`, `failure`, or `neutral` (skipped, not taken); null while it is open. */
export function verdictOf(task: TaskState | undefined): "success" | "failure" | "neutral" | null {
  if (task === undefined || !isEnded(task)) return null;
  if (isSuccess(task)) return "success";
  return isFailure(task) ? "failure" : "neutral";
}
