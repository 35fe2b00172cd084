/**
 * Retries and timeout of tasks for executors that set none. They come from the service's settings, so they are no part
 * of a flow: the record that schedules a task has them, and a change of the settings changes no task that is scheduled.
 */
import type { Plan, TaskLimits, TaskSpec } from "../plan.ts";
import { mapTasks } from "./map-tasks.ts";
import { NO_RETRY } from "./plan-task.ts";

/** Longest delay before a retry, milliseconds. */
const MAX_DELAY_MS = 86_400_000;

/** What tasks get that set nothing. */
export interface QueueDefaults {
  readonly maxRetries: number;
  /** The n-th retry waits this many seconds to the power of n. */
  readonly backoffBase: number;
  readonly timeoutMs: number;
}

/** The plan, with the defaults of its `queue` tasks. */
export function withQueueDefaults(plan: Plan, defaults: QueueDefaults): Plan {
  return mapTasks(plan, (spec) => (spec.type === "queue" ? { ...spec, defaults: toLimits(spec, defaults) } : spec));
}

function toLimits({ retry, timeouts }: TaskSpec, { maxRetries, backoffBase, timeoutMs }: QueueDefaults): TaskLimits {
  const delays = { initialDelayMs: backoffBase * 1_000, multiplier: backoffBase, maxDelayMs: MAX_DELAY_MS };
  return {
    ...(retry === NO_RETRY ? { maxRetries, ...delays } : {}),
    ...(timeouts.startToCloseMs === null ? { startToCloseMs: timeoutMs } : {}),
  };
}
