/** Paths of tasks: `id`, `id.n` for a child of a group, `id/compensate` for a compensation. */

/** Path of the group that a child belongs to; null for tasks that are no children. */
export function parentPath(path: string): string | null {
  const dot = path.lastIndexOf(".");
  return dot < 0 ? null : path.slice(0, dot);
}

/** Position of a child in its group. */
export function childIndex(path: string): number {
  return Number(path.slice(path.lastIndexOf(".") + 1));
}

/** True for tasks of the graph itself: no child, no compensation. */
export function isTopLevel(path: string): boolean {
  return !path.includes(".") && !path.includes("/");
}
