/**
 * Slots of limits: an attempt of a limited task begins only once its limit has a slot for it.
 *
 *   ready ──task.limited──→ waiting ──granted──→ taken (the attempt begins, or waits for a hand-over) ──end──→ none
 *                              │ ↑
 *                         held │ │ released
 *                              ↓ │
 *                           withdrawn
 *
 * Each attempt asks anew, so a task that waits for its next attempt holds nothing. A hand-over that is lost and an
 * attempt that a new owner makes again keep their slot. See docs/adr/0065.
 */
import type { TaskState } from "../state.ts";

/** Returns true when the task has not got the slot that its attempt needs. */
export function lacksSlot({ limitSlot }: Pick<TaskState, "limitSlot">): boolean {
  return limitSlot !== null && (limitSlot.state === "waiting" || limitSlot.state === "withdrawn");
}

/** The attempt begins: it has its slot from now on, and could not begin before. */
export function takeSlot(task: TaskState, at: number): void {
  if (task.limitSlot === null || !lacksSlot(task)) return;
  task.limitSlot = { ...task.limitSlot, state: "taken" };
  task.readyAt = at;
}

/** The task leaves the line of its limit. */
export function withdrawSlot(task: TaskState): void {
  if (task.limitSlot?.state === "waiting") task.limitSlot = { ...task.limitSlot, state: "withdrawn" };
}
