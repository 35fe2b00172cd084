/** Checks of calls that end an attempt in the place of its worker or of its callback. */
import { fail } from "../../../base/errors.ts";
import type { Outcome } from "../../machine/events.ts";
import { childIndex, parentPath } from "../../machine/paths.ts";
import { type Run, specOf } from "../../machine/run.ts";
import type { RunState, TaskState } from "../../machine/state.ts";
import { isEnded } from "../../machine/tasks/task-ends.ts";
import { isDoneElsewhere } from "../../machine/tasks/tell.ts";
import { isSame } from "../dispatch/standing.ts";

/**
 * The task that the call may end now; null when it has ended as the call says. Errors: RUN_TASK_NOT_FOUND,
 * TASK_STATE_INVALID.
 */
export function toBeTold(run: Run, path: string, outcome: Outcome): TaskState | null {
  const { state } = run;
  const task = state.tasks.get(path);
  if (task === undefined) return hasTask(run, path) ? refuse(state, path, "it has not begun") : missing(state, path);
  if (isEnded(task)) return isTold(state, path, outcome) ? null : refuse(state, path, endOf(task));
  if (isDoneElsewhere(run, task)) return task;
  if (task.state === "RETRYING") return refuse(state, path, "no attempt is under way until the next one begins");
  return refuse(state, path, "only a task that a worker or a callback ends can be ended in their place");
}

/** True when the task has ended as the call says. */
export function isTold({ tasks }: RunState, path: string, outcome: Outcome): boolean {
  const task = tasks.get(path);
  return task !== undefined && isEnded(task) && task.state !== "CANCELED" && isSame(task, outcome);
}

function hasTask(run: Run, path: string): boolean {
  const parent = parentPath(path);
  if (parent !== null) {
    // Every child of a map has the same spec, also one that the map does not have.
    const count = run.state.tasks.get(parent)?.group?.count ?? Number.POSITIVE_INFINITY;
    if (!/^(0|[1-9]\d*)$/.test(path.slice(parent.length + 1)) || childIndex(path) >= count) return false;
  }
  try {
    return specOf(run, path) !== undefined;
  } catch {
    // No path of this flow.
    return false;
  }
}

function missing({ runId }: RunState, taskId: string): never {
  return fail("RUN_TASK_NOT_FOUND", { runId, taskId });
}

function refuse({ runId, tasks }: RunState, taskId: string, problem: string): never {
  const task = tasks.get(taskId);
  const state = task?.state ?? "PENDING";
  const errorType = task?.error?.type;
  return fail("TASK_STATE_INVALID", {
    runId,
    taskId,
    state,
    problem,
    ...(errorType === undefined ? {} : { errorType }),
  });
}

function endOf({ error }: TaskState): string {
  return error === null ? "it has ended" : `it has ended with ${error.type}`;
}
