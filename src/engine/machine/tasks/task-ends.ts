/** Classifies ended tasks. */
import { isTerminalTask, type TaskState } from "../state.ts";

/** Returns true when the task ended in a way that every trigger rule counts as a failure. */
export function isFailure(task: TaskState): boolean {
  switch (task.state) {
    case "FAILED":
    case "TIMED_OUT":
      return !task.handled;
    case "CANCELED":
      return true;
    case "SKIPPED":
      return task.reason === "UPSTREAM_FAILED";
    default:
      return false;
  }
}

/** Returns true when the task counts as a success: completed, or failed with `on_error: continue`. */
export function isSuccess(task: TaskState): boolean {
  return task.state === "COMPLETED" || ((task.state === "FAILED" || task.state === "TIMED_OUT") && task.handled);
}

/** Returns true when the task has ended. */
export function isEnded(task: TaskState): boolean {
  return isTerminalTask(task.state);
}
