/** `parallel` and `map`: which children start, and when the parent ends. */
import { completeTask, failTask, startTask } from "./attempts.ts";
import { type Json, readDuration } from "./document.ts";
import { cancelTask, childrenOf, isEnded, isFailure, type Machine, type Task } from "./machine.ts";

/**
 * Starts the children that may start and ends the parent when it is over. Says whether anything happened. Inside one
 * moment a nested group may be looked at before or after its younger brothers start: the second when choices are
 * reversed.
 */
export function lookAtGroup(machine: Machine, parent: Task): boolean {
  const nested = (): boolean => {
    let moved = false;
    for (const child of childrenOf(machine, parent)) {
      if (child.children !== null && !isEnded(child)) moved = lookAtGroup(machine, child) || moved;
    }
    return moved;
  };
  for (let moved = false; ; moved = true) {
    if (!machine.choices.reverse) moved = nested() || moved;
    const planned = parent.children ?? [];
    const began = childrenOf(machine, parent);
    const failed = began.find(isFailure);
    if (failed !== undefined && parent.doc.parameters?.fail_fast === true) {
      for (const child of began) if (!isEnded(child)) cancelTask(machine, child);
      endGroup(machine, parent, true);
      return true;
    }
    const open = began.filter((child) => !isEnded(child)).length;
    const next = planned[began.length];
    if (next !== undefined && open < Number(parent.doc.parameters?.max_concurrency ?? 50)) {
      startTask(machine, `${parent.path}.${began.length}`, next.doc, next.own);
    } else if (next === undefined && open === 0) {
      endGroup(machine, parent, failed !== undefined);
      return true;
    } else if (!machine.choices.reverse || !nested()) {
      return moved;
    }
  }
}

/** When the children of a group are given up because of its `timeout`; null: never. */
export function groupClosesAt(parent: Task): number | null {
  return parent.doc.timeout === undefined ? null : parent.begunAt + readDuration(parent.doc.timeout);
}

/** Ends a group whose time is up. */
export function groupTimedOut(machine: Machine, parent: Task): void {
  for (const child of childrenOf(machine, parent)) if (!isEnded(child)) cancelTask(machine, child);
  failTask(machine, parent, { type: "TIMEOUT", retryable: false }, true);
}

/** Ends a parent whose children have all ended. */
function endGroup(machine: Machine, parent: Task, failed: boolean): void {
  if (failed) {
    failTask(machine, parent, { type: "CHILD_FAILED", retryable: false }, false);
    return;
  }
  const outputs: Json[] = childrenOf(machine, parent).map((child) => child.output);
  completeTask(machine, parent, { outputs });
}
