/** Decides when a task is retried and when it has failed for good. See docs/semantics.md §3. */
import type { RetryPolicy, TaskSpec } from "../../../flows/plan.ts";
import type { JournalRecord, TaskError } from "../records.ts";
import type { TaskState } from "../state.ts";
import { closesAt, retryOf, timeoutsOf } from "./limits.ts";
import { failTask } from "./outcomes.ts";

/** Retries the task later, or fails it for good. */
export function retryOrFail(
  spec: TaskSpec,
  task: TaskState,
  error: TaskError,
  at: number,
  random: number,
): JournalRecord {
  const closeAt = closesAt(spec, task);
  const timedOut = TIMEOUT_TYPES.has(error.type);
  const retryable = error.retryable && !spec.retry.nonRetryable.includes(error.type);
  const policy = retryOf(spec, task);
  if (retryable && task.attempt <= policy.maxRetries) {
    const dueAt = at + retryDelayMs(policy, task.attempt, error, random);
    if (closeAt === null || dueAt < closeAt) return { type: "task.retrying", at, task: task.path, error, dueAt };
  }
  if (!retryable) return failTask(spec, task.path, error, at, { timedOut });
  const deadLetter = task.attempt > policy.maxRetries ? "ATTEMPTS_EXHAUSTED" : "OUT_OF_TIME";
  return failTask(spec, task.path, error, at, { timedOut, deadLetter });
}

/** Repeats a call that did not take place; only schedule-to-start and schedule-to-close end the repetition. */
export function deferTask(spec: TaskSpec, task: TaskState, error: TaskError, dueAt: number, at: number): JournalRecord {
  const closeAt = closesAt(spec, task);
  const { scheduleToStartMs } = timeoutsOf(spec, task.limits);
  if (closeAt !== null && dueAt >= closeAt) {
    return failTask(spec, task.path, error, at, { deadLetter: "DEFERRED_TOO_LONG" });
  }
  if (scheduleToStartMs !== null && dueAt >= task.readyAt + scheduleToStartMs) {
    const message = `the attempt could not begin in time: ${error.message}`;
    const late: TaskError = { type: "SCHEDULE_TO_START_TIMEOUT", message, retryable: false, ...noEffectOf(error) };
    return failTask(spec, task.path, late, at, { timedOut: true, deadLetter: "DEFERRED_TOO_LONG" });
  }
  return { type: "task.retrying", at, task: task.path, error, dueAt, deferred: true };
}

/** Carries over what an error says about the effect of its attempt, for the error that replaces it. */
function noEffectOf(error: TaskError): { readonly noEffect?: true } {
  return error.noEffect === true ? { noEffect: true } : {};
}

/** Error types of timeouts: a task whose last attempt ends with one is TIMED_OUT. */
const TIMEOUT_TYPES: ReadonlySet<string> = new Set([
  "TIMEOUT",
  "HEARTBEAT_TIMEOUT",
  "SCHEDULE_TO_START_TIMEOUT",
  "SCHEDULE_TO_CLOSE_TIMEOUT",
]);

/** Longest delay that a tool can request for its next attempt: 100 years. */
const LONGEST_DELAY_MS = 100 * 366 * 86_400_000;

/** Delay before the attempt that follows `attempts` attempts, milliseconds; see docs/semantics.md §3. */
export function retryDelayMs(policy: RetryPolicy, attempts: number, error: TaskError, random: number): number {
  const told = error.nextRetryDelayMs;
  if (told !== undefined && Number.isFinite(told)) return Math.min(Math.max(0, told), LONGEST_DELAY_MS);
  const { backoff, initialDelayMs, maxDelayMs, multiplier } = policy;
  // The power soon becomes infinite, and 0 × ∞ is NaN.
  const exponential = initialDelayMs === 0 ? 0 : Math.min(initialDelayMs * multiplier ** (attempts - 1), maxDelayMs);
  switch (backoff) {
    case "fixed":
      return Math.min(initialDelayMs, maxDelayMs);
    case "linear":
      return Math.min(initialDelayMs * attempts, maxDelayMs);
    case "exponential":
      return Math.round(exponential);
    case "full_jitter":
      return Math.floor(random * exponential);
  }
}
