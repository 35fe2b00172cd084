/**
 * Timeouts and retry delays of a task: those of its spec, except for those written as `${…}` in the flow, which were
 * evaluated when the task was scheduled.
 */
import type { RetryPolicy, TaskLimits, TaskSpec, Timeouts } from "../../../flows/plan.ts";
import type { TaskState } from "../state.ts";

/** Timeouts of a task. */
export function timeoutsOf(spec: TaskSpec, limits: TaskLimits | null): Timeouts {
  return limits === null ? spec.timeouts : { ...spec.timeouts, ...limits };
}

/** Retry policy of a task. */
export function retryOf(spec: TaskSpec, task: Pick<TaskState, "limits">): RetryPolicy {
  return task.limits === null ? spec.retry : { ...spec.retry, ...task.limits };
}

/** When the schedule-to-close timeout of a task expires, milliseconds since the epoch; null: never. */
export function closesAt(spec: TaskSpec, task: Pick<TaskState, "limits" | "scheduledAt">): number | null {
  const { scheduleToCloseMs } = timeoutsOf(spec, task.limits);
  return scheduleToCloseMs === null ? null : task.scheduledAt + scheduleToCloseMs;
}

/** The field `limits` of the record that schedules a task, if it has any. */
export function withLimits(limits: TaskLimits | null): { limits?: TaskLimits } {
  return limits === null ? NO_LIMITS : { limits };
}

const NO_LIMITS: { limits?: TaskLimits } = Object.freeze({});
