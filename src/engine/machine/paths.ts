/**
 * Paths of tasks: the ids of tasks in the contract.
 *
 *   fetch            a task of the flow
 *   load.0, load.0.2 a child of a `parallel` or `map` task, from 0
 *   poll~2           the task of a state on its second visit, from 1
 *   pay~compensate   what undoes a task: `pay~compensate.0`, `poll~2~compensate`
 *
 * Every character may appear in a URL path without escaping. Ids in flows contain neither `.` nor `~`, so a path is
 * unambiguous.
 */

const COMPENSATE = "~compensate";

/** Path of the task of a state on its `visit`, counted from 1. */
export function visitPath(state: string, visit: number): string {
  return `${state}~${visit}`;
}

/**
 * Returns state and visit of a path such as `poll~2`, or of the children and the compensation of that task; null for
 * tasks of other flows.
 */
export function visitOf(path: string): { readonly state: string; readonly visit: number } | null {
  const mark = path.indexOf("~");
  if (mark < 0) return null;
  const visit = Number.parseInt(path.slice(mark + 1), 10);
  return Number.isNaN(visit) ? null : { state: path.slice(0, mark), visit };
}

/** Path under which the compensation of the task at `path` runs. */
export function compensationPath(path: string): string {
  return path + COMPENSATE;
}

/** Path of the task that a compensation, or a child of one, undoes; null for other tasks. */
export function compensatedBy(path: string): string | null {
  const mark = path.indexOf(COMPENSATE);
  return mark < 0 ? null : path.slice(0, mark);
}

/** True for a compensation itself, but not for its children. */
export function isCompensation(path: string): boolean {
  return path.endsWith(COMPENSATE);
}

/** Path of the group that a child belongs to; null for tasks that are not children. */
export function parentPath(path: string): string | null {
  const dot = path.lastIndexOf(".");
  return dot < 0 ? null : path.slice(0, dot);
}

/** Position of a child in its group. */
export function childIndex(path: string): number {
  return Number(path.slice(path.lastIndexOf(".") + 1));
}

/** True for tasks of the graph itself: neither children nor compensations. */
export function isTopLevel(path: string): boolean {
  return !path.includes(".") && !path.includes(COMPENSATE);
}

/**
 * The idempotency key that all attempts of a task share: `run/path/generation`. The key of a compensation ends with
 * `/compensate`, the keys of its children end with `/compensate.n`, and visits are written `#n`. Tools remember keys,
 * so this form never changes, even if paths do.
 */
export function idempotencyKeyOf(runId: string, path: string, generation: number): string {
  const undone = compensatedBy(path);
  const task = (undone ?? path).replace("~", "#");
  const rest = undone === null ? "" : `/${path.slice(undone.length + 1)}`;
  return `${runId}/${task}/${generation}${rest}`;
}

/** Converts a path that an older release wrote as `poll#2` or `pay/compensate`. */
export function toPath(stored: string): string {
  return stored.replace("#", "~").replace("/compensate", COMPENSATE);
}
