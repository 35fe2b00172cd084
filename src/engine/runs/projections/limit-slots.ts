/**
 * Slots of limits as rows. Each row is what the journal says of a task after the transition, so whatever happens to a
 * task in one transition, one statement says it: a row is either written or deleted.
 */
import { hashKey } from "../../../base/ids.ts";
import type { JournalRecord } from "../../machine/records.ts";
import { mayBegin, type Run, specOf } from "../../machine/run.ts";
import type { JournaledSlot } from "../../ports/dispatch/limits.ts";
import type { RowMaker } from "../../ports/projections.ts";
import { workOf } from "../dispatch/ready-task.ts";

/** A task that waits for a slot, or has one. */
export type LimitSlotRow = JournaledSlot;

/** Whether a slot has a row: the task waits for it, or has it. */
function isInLine<S extends { readonly state: string }>(slot: S): slot is S & Pick<LimitSlotRow, "state"> {
  return slot.state === "waiting" || slot.state === "taken";
}

function toSlotRow(run: Run, path: string): LimitSlotRow | null {
  const task = run.state.tasks.get(path);
  const slot = task?.limitSlot ?? null;
  if (task === undefined || slot === null || !isInLine(slot)) return null;
  const { tenantId } = run.state;
  const { name, key, state, asked } = slot;
  const { limit } = specOf(run, path);
  return {
    ...{ path, tenantId, name, key, hash: hashKey([tenantId, name, key]), state, asked },
    ...{ priority: workOf(run, task).priority, since: task.readyAt },
    ...{ maxConcurrent: limit?.maxConcurrent ?? null, rate: limit?.rate ?? null },
  };
}

function toRunRow({ state: run }: Run): LimitSlotRow | null {
  const { limit, limitSlot: slot, tenantId, createdAt } = run;
  if (limit === null || slot === null || !isInLine(slot)) return null;
  const { name, key, priority = 0, maxConcurrent, rate } = limit;
  return {
    ...{ path: OF_RUN, tenantId, name, key, hash: hashKey([tenantId, name, key]) },
    ...{ state: slot.state, asked: slot.asked, priority, since: createdAt, maxConcurrent, rate },
  };
}

/** The path of a run as a whole. */
const OF_RUN = "";

/** All slots of a run. One that may not go on is in no line. */
export function slotsOf(run: Run): readonly JournaledSlot[] {
  const ofTasks = [...run.state.tasks.values()].map(({ path, limitSlot }) =>
    limitSlot === null ? null : toSlotRow(run, path),
  );
  return [toRunRow(run), ...ofTasks].flatMap((slot) =>
    slot !== null && (slot.state === "taken" || mayBegin(run)) ? [slot] : [],
  );
}

/** Tasks and runs that wait for a slot, or begin with one. */
export const limitSlotRows: RowMaker<Run, JournalRecord, LimitSlotRow> = {
  projection: "limit_slots",
  on: {
    "run.limited": toRunRow,
    "run.opened": toRunRow,
    "run.released": toRunRow,
    "task.limited": (run, { task }) => toSlotRow(run, task),
    "task.scheduled": (run, { task }) => toSlotRow(run, task),
    "task.dispatched": (run, { task }) => toSlotRow(run, task),
  },
  keyOf: ({ path }) => path,
};

/** A task that needs no slot any more. */
export interface FreedSlotRow {
  readonly path: string;
}

function toFreedRow(run: Run, path: string): FreedSlotRow | null {
  const slot = run.state.tasks.get(path)?.limitSlot ?? null;
  return slot === null || isInLine(slot) ? null : { path };
}

function toFreedRunRow({ state: { limitSlot } }: Run): FreedSlotRow | null {
  return limitSlot === null || isInLine(limitSlot) ? null : { path: OF_RUN };
}

/** Tasks and runs that need no slot any more: their attempt, or the task, has ended, or their run may not go on. */
export const freedSlotRows: RowMaker<Run, JournalRecord, FreedSlotRow> = {
  projection: "freed_slots",
  on: {
    "run.held": toFreedRunRow,
    "run.completed": toFreedRunRow,
    "run.failed": toFreedRunRow,
    "run.canceled": toFreedRunRow,
    "run.timed_out": toFreedRunRow,
    "run.terminated": toFreedRunRow,
    "task.returned": (run, { task }) => toFreedRow(run, task),
    "task.completed": (run, { task }) => toFreedRow(run, task),
    "task.retrying": (run, { task }) => toFreedRow(run, task),
    "task.suspended": (run, { task }) => toFreedRow(run, task),
    "task.failed": (run, { task }) => toFreedRow(run, task),
    "task.canceled": (run, { task }) => toFreedRow(run, task),
  },
  keyOf: ({ path }) => path,
};
