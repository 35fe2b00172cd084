/** How runs end: failure, cancel, terminate, run timeout, compensation. See docs/semantics.md §5. */

import { compensationPath, isTopLevel } from "../paths.ts";
import type { Cause, JournalRecord, RunError } from "../records.ts";
import { findCompensation, type Run, specOf } from "../run.ts";
import type { TaskState } from "../state.ts";
import { CALLBACK } from "../tasks/callbacks.ts";
import type { Step } from "../tasks/outcomes.ts";
import { isEnded } from "../tasks/task-ends.ts";
import { beginTask } from "../tasks/tasks.ts";

/** How long running attempts may take to report after a cancel, in milliseconds. */
const CANCEL_BOUND_MS = 30_000;

/**
 * Begins the end of a run whose tasks may still be open: tasks that have not started are canceled, and running ones are
 * asked to stop.
 */
export function beginEnding(run: Run, cause: Cause, at: number): JournalRecord[] {
  return [{ type: "run.ending", at, cause, boundAt: at + CANCEL_BOUND_MS }, ...cancelOpen(run, at, false)];
}

/** Ends a run in failure. Open tasks are canceled first; compensation follows if there is anything to compensate. */
export function failRun(run: Run, error: RunError, at: number): JournalRecord[] {
  const cause: Cause = { end: "failed", compensate: true, reason: error.message, by: "", error };
  if (hasOpenTasks(run)) return beginEnding(run, cause, at);
  const order = compensationOrder(run);
  if (order.length > 0) return [{ type: "run.compensating", at, cause, order }];
  return [{ type: "run.failed", at, error }];
}

/**
 * Cancels open tasks. Tasks that run in a tool are canceled only when `force` is set. Graph tasks that never began are
 * canceled too.
 */
export function cancelOpen(run: Run, at: number, force: boolean): JournalRecord[] {
  const canceled = new Set<string>();
  const records: JournalRecord[] = [];
  const cancel = (path: string): void => {
    canceled.add(path);
    records.push({ type: "task.canceled", at, task: path });
  };
  const open = [...run.state.tasks.values()]
    .filter((task) => !isEnded(task))
    .sort((a, b) => b.path.length - a.path.length);
  for (const task of open) {
    if (!force && isHeldByTool(task)) continue;
    if (
      task.group !== null &&
      open.some((other) => other.path.startsWith(`${task.path}.`) && !canceled.has(other.path))
    )
      continue;
    cancel(task.path);
  }
  if (run.plan.kind === "dag" && !run.state.cause) {
    for (const node of run.plan.nodes) {
      if (!node.isCompensation && !run.state.tasks.has(node.task.id)) cancel(node.task.id);
    }
  }
  return records;
}

function isHeldByTool(task: TaskState): boolean {
  // Nobody can be told that the result of a call is not wanted any more.
  if (task.handedTo !== null) return task.handedTo !== CALLBACK;
  return (task.state === "RUNNING" && task.group === null) || (task.state === "WAITING" && task.wait?.kind === "run");
}

function hasOpenTasks(run: Run): boolean {
  if (run.plan.kind === "dag" && run.state.ended < run.graphSize) return true;
  for (const task of run.state.tasks.values()) if (!isEnded(task)) return true;
  return false;
}

/**
 * Returns the tasks to compensate: every dispatched task that is not proven to have had no effect, last dispatch first.
 */
function compensationOrder(run: Run): string[] {
  const candidates: TaskState[] = [];
  for (const task of run.state.tasks.values()) {
    if (!isTopLevel(task.path) || task.effect === "none") continue;
    if (findCompensation(run, task.path) !== null) candidates.push(task);
  }
  return candidates.sort((a, b) => b.dispatchedAtSequence - a.dispatchedAtSequence).map((task) => task.path);
}

/**
 * Returns the next step of a run in CANCELING: groups whose children have all ended, then compensation, then the end.
 * Returns null while attempts run.
 */
export function stepCanceling(run: Run, at: number): Step | null {
  const { cause } = run.state;
  if (cause === null) throw new Error("CANCELING without a cause");
  const rest = cancelOpen(run, at, false);
  if (rest.length > 0) return { records: rest };
  if (hasOpenTasks(run)) return null;
  const order = cause.compensate ? compensationOrder(run) : [];
  if (order.length > 0) return { records: [{ type: "run.compensating", at, cause, order }] };
  return { records: [endRecord(cause, at)] };
}

/**
 * Returns the next step of a run in COMPENSATING: one compensation after another, then the end. Returns null while a
 * compensation runs, or when one has failed for good.
 */
export function stepCompensating(run: Run, at: number): Step | null {
  const { cause, compensation } = run.state;
  if (cause === null || compensation === null) throw new Error("COMPENSATING without a cause");
  const path = compensation.order[compensation.done];
  if (path === undefined) return { records: [endRecord(cause, at)] };
  const by = compensationPath(path);
  const task = run.state.tasks.get(by);
  if (task === undefined) return beginTask(by, specOf(run, by), null, at);
  if (task.state === "COMPLETED" || task.handled) return { records: [{ type: "task.compensated", at, task: path }] };
  return null;
}

function endRecord(cause: Cause, at: number): JournalRecord {
  switch (cause.end) {
    case "failed":
      return { type: "run.failed", at, error: cause.error ?? { type: "FAILED", message: cause.reason, task: null } };
    case "canceled":
      return { type: "run.canceled", at };
    case "timed_out":
      return { type: "run.timed_out", at };
    case "terminated":
      throw new Error("a run that is terminated ends at once");
  }
}
