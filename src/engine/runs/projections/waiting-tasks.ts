import type { JsonObject } from "../../../base/json/json.ts";
import { type Carrier, carrierOfTask, type TaskType } from "../../../tasks/define.ts";
import { TASK_TYPES } from "../../../tasks/index.ts";
import type { JournalRecord, Told } from "../../machine/records.ts";
import { mayBegin, type Run, specOf } from "../../machine/run.ts";
import { awaitsHandOver, isDoneThen } from "../../machine/tasks/handouts.ts";
import type { ReadyTask } from "../../ports/dispatch/hand-overs.ts";
import type { RowMaker } from "../../ports/projections.ts";
import { toReadyTask } from "../dispatch/ready-task.ts";

/** A task that waits for a hand-over. */
export interface WaitingTaskRow extends ReadyTask {
  /** Its run is held: nobody may take it. */
  readonly held: boolean;
  /** A hand-over came to nothing: the task has had its turn. */
  readonly isBack: boolean;
  /** How tasks of its type leave where every carrier is served. */
  readonly carrier: Carrier;
}

function toWaitingRow(run: Run, path: string, isBack: boolean): WaitingTaskRow | null {
  const task = run.state.tasks.get(path);
  if (!awaitsHandOver(task)) return null;
  const { type } = specOf(run, path);
  const { leaving }: TaskType = TASK_TYPES[type];
  const carrier = leaving === undefined ? "workers" : carrierOfTask(leaving, (task.input ?? {}) as JsonObject);
  return { ...toReadyTask(run, task), held: !mayBegin(run), isBack, carrier };
}

/** Tasks that begin to wait and found no slot in the same transition. */
export const waitingTaskRows: RowMaker<Run, JournalRecord, WaitingTaskRow> = {
  projection: "waiting_tasks",
  on: {
    "task.scheduled": (run, { task }) => toWaitingRow(run, task, false),
    "task.returned": (run, { task }) => toWaitingRow(run, task, true),
  },
  keyOf: ({ path }) => path,
};

/** A task that no longer waits. */
export interface TakenTaskRow {
  readonly path: string;
}

/** A task that somebody else ended may have waited, and may wait again already, for its next attempt. */
function toToldRow(run: Run, path: string, told: Told | undefined): TakenTaskRow | null {
  return told === undefined || awaitsHandOver(run.state.tasks.get(path)) ? null : toTakenRow(run, path);
}

/** A task that ended may have waited: one that a worker had is not among the rows, and nothing is deleted. */
function toTakenRow(run: Run, path: string): TakenTaskRow | null {
  try {
    return specOf(run, path).carrier === undefined ? null : { path };
  } catch {
    // A damaged record may name a task that the flow does not have. Its run must still end.
    return null;
  }
}

/** Tasks that no longer wait: they were handed out, or have ended. */
export const takenTaskRows: RowMaker<Run, JournalRecord, TakenTaskRow> = {
  projection: "taken_tasks",
  on: {
    "task.dispatched": (_run, { task, queued }) => (queued === true ? { path: task } : null),
    "task.completed": (run, { task, told, input }) =>
      // An event that did not have to wait brings its input along.
      isDoneThen(specOf(run, task)) && input === undefined ? { path: task } : toToldRow(run, task, told),
    "task.retrying": (run, { task, told }) => toToldRow(run, task, told),
    "task.failed": (run, { task }) => toTakenRow(run, task),
    "task.canceled": (run, { task }) => toTakenRow(run, task),
  },
  keyOf: ({ path }) => path,
};

/** A run whose waiting tasks may be taken, or not any more. */
export interface HeldTasksRow {
  readonly held: boolean;
}

function toHeldRow(run: Run): HeldTasksRow | null {
  return run.state.away > run.state.handedOut ? { held: !mayBegin(run) } : null;
}

/** Holds of runs with waiting tasks. */
export const heldTasksRows: RowMaker<Run, JournalRecord, HeldTasksRow> = {
  projection: "held_tasks",
  on: { "run.held": toHeldRow, "run.released": toHeldRow },
  keyOf: () => "",
};
