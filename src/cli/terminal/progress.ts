/** State of a watched run and its tasks, from the frames of the watch. */
import { fromTimestamp } from "../../api/mapping/time.ts";
import type { RunEvent, TaskTransition } from "../../gen/orchestrator/v1/run_event_pb.ts";
import type { Run, RunError, RunTask, TaskError, TaskWait } from "../../gen/orchestrator/v1/run_pb.ts";
import { RunPhaseSchema, SkipReasonSchema, TaskStateSchema } from "../../gen/orchestrator/v1/run_pb.ts";
import type { WatchRunResponse } from "../../gen/orchestrator/v1/run_service_pb.ts";
import { nameOf, runState } from "./print.ts";

/** A task as the terminal shows it. */
export interface TaskProgress {
  readonly id: string;
  /** Id of the parent group; empty at the top. */
  readonly parent: string;
  type: string;
  /** Name of the state: `RUNNING`. */
  state: string;
  attempt: number;
  maxAttempts: number;
  /** Number of children; 0 if there are none or they are unknown. */
  children: number;
  ended: number;
  error: TaskError | undefined;
  wait: TaskWait | undefined;
  /** Milliseconds since the epoch, by the clock of the service; undefined before the start. */
  startedAt: number | undefined;
  endedAt: number | undefined;
  nextAttemptAt: number | undefined;
  /** Why it was skipped; empty if it was not. */
  reason: string;
}

const ENDED = new Set(["COMPLETED", "FAILED", "SKIPPED", "CANCELED", "TIMED_OUT", "COMPENSATED"]);

export function hasEnded(task: TaskProgress): boolean {
  return ENDED.has(task.state);
}

/** A change that deserves a line without a terminal. */
export type ProgressChange =
  | { readonly kind: "task"; readonly task: TaskProgress }
  | { readonly kind: "run"; readonly state: string; readonly error: RunError | undefined; readonly note: string };

/** The run as far as the frames have shown it. */
export class RunProgress {
  /** Run in the latest frame that has one. */
  run: Run | undefined;
  /** Latest known state or phase. */
  state = "QUEUED";
  readonly tasks = new Map<string, TaskProgress>();
  readonly #children = new Map<string, TaskProgress[]>();

  /** Tasks below `parent` in order of arrival; those of the flow below "". */
  childrenOf(parent: string): readonly TaskProgress[] {
    return this.#children.get(parent) ?? [];
  }

  /** Applies a frame and returns what changed. */
  apply({ frame }: WatchRunResponse): readonly ProgressChange[] {
    switch (frame.case) {
      case "snapshot":
        return this.#applySnapshot(frame.value.run, frame.value.tasks);
      case "event":
        return this.#applyEvent(frame.value);
      case "end":
        if (frame.value.run !== undefined) this.#setRun(frame.value.run);
        return [{ kind: "run", state: this.state, error: this.run?.error, note: "" }];
      default:
        return [];
    }
  }

  /** Changes in a snapshot: a watch that starts late, or again, must not leave anything out. */
  #applySnapshot(run: Run | undefined, tasks: readonly RunTask[]): readonly ProgressChange[] {
    const changes: ProgressChange[] = [];
    const before = this.state;
    if (run !== undefined) this.#setRun(run);
    // The end frame, which follows, shows how it ended.
    if (this.state !== before && run !== undefined && run.endTime === undefined)
      changes.push({ kind: "run", state: this.state, error: run.error, note: "" });
    for (const told of tasks) {
      const known = this.tasks.get(told.taskId);
      const { state = "PENDING", attempt = 0 } = known ?? {};
      this.#setTask(told);
      const task = this.tasks.get(told.taskId);
      if (task === undefined || task.state === "PENDING" || (task.state === state && task.attempt === attempt))
        continue;
      changes.push({ kind: "task", task });
    }
    return changes;
  }

  #setRun(run: Run): void {
    this.run = run;
    this.state = runState(run);
  }

  #setTask(told: RunTask): void {
    const task = this.#taskOf(told.taskId, told.parentTaskId, told.taskType);
    task.type = told.taskType;
    this.#move(task, nameOf(TaskStateSchema, told.state));
    task.attempt = told.attempt;
    task.maxAttempts = told.maxAttempts;
    task.error = told.error;
    task.wait = told.wait;
    task.reason = told.skipReason === 0 ? "" : nameOf(SkipReasonSchema, told.skipReason);
    task.startedAt = told.startTime === undefined ? undefined : fromTimestamp(told.startTime);
    task.endedAt = told.endTime === undefined ? undefined : fromTimestamp(told.endTime);
    task.nextAttemptAt = told.nextAttemptTime === undefined ? undefined : fromTimestamp(told.nextAttemptTime);
    if (told.wait?.kind.case === "childTasks") task.children = told.wait.kind.value.total;
  }

  #applyEvent(event: RunEvent): readonly ProgressChange[] {
    const { detail } = event;
    switch (detail.case) {
      case "taskTransition":
        return [{ kind: "task", task: this.#applyTransition(event, detail.value) }];
      case "runTransition": {
        this.state = nameOf(RunPhaseSchema, detail.value.phase);
        const { error, reason } = detail.value;
        // The end frame, which follows, shows how it ended.
        return ENDED.has(this.state) || this.state === "TERMINATED"
          ? []
          : [{ kind: "run", state: this.state, error, note: reason }];
      }
      case "holdChange": {
        const { held, hold } = detail.value;
        return [{ kind: "run", state: held ? "HELD" : "RELEASED", error: undefined, note: hold?.reason ?? "" }];
      }
      default:
        return [];
    }
  }

  #applyTransition(event: RunEvent, change: TaskTransition): TaskProgress {
    const at = event.eventTime === undefined ? undefined : fromTimestamp(event.eventTime);
    const task = this.#taskOf(event.taskId, parentOf(event.taskId), change.taskType);
    if (change.taskType !== "") task.type = change.taskType;
    this.#move(task, nameOf(TaskStateSchema, change.state));
    if (event.attempt > 0) task.attempt = event.attempt;
    task.error = change.error;
    task.wait = change.wait;
    task.reason = change.skipReason === 0 ? "" : nameOf(SkipReasonSchema, change.skipReason);
    task.nextAttemptAt = change.nextAttemptTime === undefined ? undefined : fromTimestamp(change.nextAttemptTime);
    const count = event.attributes?.count;
    if (typeof count === "number") task.children = count;
    if (hasEnded(task)) task.endedAt = at;
    else task.startedAt ??= at;
    return task;
  }

  #taskOf(id: string, parent: string, type: string): TaskProgress {
    const known = this.tasks.get(id);
    if (known !== undefined) return known;
    const task: TaskProgress = {
      id,
      parent,
      type,
      state: "PENDING",
      attempt: 0,
      maxAttempts: 1,
      children: 0,
      ended: 0,
      error: undefined,
      wait: undefined,
      startedAt: undefined,
      endedAt: undefined,
      nextAttemptAt: undefined,
      reason: "",
    };
    this.tasks.set(id, task);
    const siblings = this.#children.get(parent);
    if (siblings === undefined) this.#children.set(parent, [task]);
    else siblings.push(task);
    return task;
  }

  #move(task: TaskProgress, state: string): void {
    const before = hasEnded(task);
    task.state = state;
    const change = Number(hasEnded(task)) - Number(before);
    const parent = this.tasks.get(task.parent);
    if (parent === undefined || change === 0) return;
    parent.ended += change;
    parent.children = Math.max(parent.children, this.childrenOf(parent.id).length);
  }
}

/** The group of a child: `load.0` is a child of `load`. */
function parentOf(id: string): string {
  const dot = id.lastIndexOf(".");
  return dot < 0 ? "" : id.slice(0, dot);
}
