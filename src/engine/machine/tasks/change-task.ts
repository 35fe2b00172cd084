/** The changes of a task that `applyRecord` makes: its state with the counts of its run, its timer, and its end. */
import { invariant } from "../../../base/errors.ts";
import { isSilent } from "../../../tasks/addresses.ts";
import { childIndex, isTopLevel, parentPath } from "../paths.ts";
import type { TaskError } from "../records.ts";
import { type RunState, TASK_TRANSITIONS, type TaskState, type TaskStateName } from "../state.ts";
import { cancelApproval } from "./approvals.ts";
import { isFailure } from "./task-ends.ts";

const NO_PLACES: TaskState["places"] = Object.freeze([]);
const NO_FAILURES: TaskState["failures"] = Object.freeze([]);

/** Failed attempts that a task remembers. */
const MAX_FAILURES = 10;

/** Takes note of the failure of the current attempt, for those who look for its cause. */
export function noteFailure(task: TaskState, { type, message }: TaskError, at: number): void {
  task.failures = [...task.failures.slice(1 - MAX_FAILURES), { attempt: task.attempt, at, type, message }];
}

/** Returns the task at a path; it begins to exist when it is touched first. */
export function touchTask(state: RunState, path: string, at: number): TaskState {
  const known = state.tasks.get(path);
  if (known !== undefined) return known;
  const task: TaskState = {
    path,
    state: "PENDING",
    attempt: 0,
    generation: 0,
    input: undefined,
    output: undefined,
    error: null,
    reason: null,
    handled: false,
    limits: null,
    limitSlot: null,
    deadLetter: null,
    first: null,
    wait: null,
    suspension: null,
    approvedCall: null,
    answer: null,
    dueAt: null,
    token: 0,
    callToken: 0,
    callAttempt: 0,
    handedTo: null,
    losses: 0,
    detached: false,
    failures: NO_FAILURES,
    places: NO_PLACES,
    checkpoint: null,
    effect: "none",
    dispatchedAtSequence: 0,
    scheduledAt: at,
    readyAt: at,
    startedAt: 0,
    endedAt: 0,
    group: null,
  };
  state.tasks.set(path, task);
  const parent = parentPath(path);
  if (parent !== null) {
    const group = state.tasks.get(parent)?.group;
    const index = childIndex(path);
    invariant(group && index >= 0 && index < group.count, `${path} has no place in a group`);
    group.next = Math.max(group.next, index + 1);
    group.open += 1;
  }
  return task;
}

/** Marks the current attempt as having had no effect. An earlier attempt that is in doubt stays in doubt. */
export function proveNoEffect(task: TaskState): void {
  if ((task.state === "RUNNING" || task.handedTo !== null) && task.effect === "open") task.effect = "none";
}

/** Which count of the run an open task without children belongs to. */
function countOf({ state, handedTo }: TaskState): "active" | "away" | "waiting" | null {
  switch (state) {
    case "SCHEDULED":
      return "away";
    case "RUNNING":
      return handedTo === null ? "active" : "away";
    case "RETRYING":
      return "active";
    case "WAITING":
      return "waiting";
    default:
      return null;
  }
}

function isHeardOf(handedTo: string | null): boolean {
  return handedTo !== null && !isSilent(handedTo);
}

/** `handedTo`: the worker session or the topic that has the task from now on. */
export function moveTask(state: RunState, task: TaskState, to: TaskStateName, handedTo: string | null = null): void {
  invariant(TASK_TRANSITIONS[task.state].includes(to), `task ${task.path} cannot move from ${task.state} to ${to}`);
  if (task.group !== null) {
    task.state = to;
  } else {
    const before = countOf(task);
    if (before !== null) state[before] -= 1;
    if (isHeardOf(task.handedTo)) state.handedOut -= 1;
    if (task.state === "WAITING") {
      if (task.wait?.kind === "run") state.childRuns -= 1;
      if (task.wait?.kind === "approval") cancelApproval(state, task);
    }
    task.state = to;
    task.handedTo = handedTo;
    task.detached = false;
    const after = countOf(task);
    if (after !== null) state[after] += 1;
    if (isHeardOf(handedTo)) state.handedOut += 1;
  }
  // A slot is for one attempt.
  const slot = task.limitSlot;
  if (slot !== null && slot.state !== "none" && to !== "SCHEDULED" && to !== "RUNNING")
    task.limitSlot = { ...slot, state: "none" };
  if (task.dueAt !== null) setDue(state, task, null);
}

/** Sets when the wait or the delay of a task is over; null: it has no timer. */
export function setDue(state: RunState, task: TaskState, dueAt: number | null): void {
  invariant(dueAt === null || Number.isFinite(dueAt), `task ${task.path} is due at ${dueAt}`);
  task.dueAt = dueAt;
  if (dueAt === null) state.timers.delete(task.path);
  else state.timers.set(task.path, dueAt);
}

/** Ends a task, and takes note of it in its group or run. */
export function endTask(state: RunState, task: TaskState, to: TaskStateName, at: number): void {
  moveTask(state, task, to);
  task.endedAt = at;
  task.checkpoint = null;
  if (to === "COMPLETED") task.failures = NO_FAILURES;
  const failed = isFailure(task);
  const parent = parentPath(task.path);
  if (parent !== null) {
    const group = state.tasks.get(parent)?.group;
    invariant(group, `${task.path} has no group`);
    group.open -= 1;
    const index = childIndex(task.path);
    // A child that was canceled because of another child is not the one that failed.
    if (failed && to !== "CANCELED" && (group.failed < 0 || index < group.failed)) group.failed = index;
  } else if (isTopLevel(task.path)) {
    state.ended += 1;
    if (failed && to !== "CANCELED" && to !== "SKIPPED" && state.failure === null && task.error !== null) {
      state.failure = { type: task.error.type, message: task.error.message, task: task.path };
    }
  }
}
