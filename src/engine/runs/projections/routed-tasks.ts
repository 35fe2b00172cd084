import type { JournalRecord } from "../../machine/records.ts";
import type { Run } from "../../machine/run.ts";
import type { RowMaker } from "../../ports/projections.ts";
import type { RoutedTaskView } from "../../ports/routing/routed-tasks.ts";
import { isRoutedTask, routedTaskOf } from "../routed/routed-task.ts";

/** Routed tasks, for lists. The row is written when a task begins and when it ends. */
export const routedTaskRows: RowMaker<Run, JournalRecord, RoutedTaskView> = {
  projection: "routed_tasks",
  on: {
    "run.started": toRow,
    "run.completed": toRow,
    "run.failed": toRow,
    "run.canceled": toRow,
    "run.timed_out": toRow,
    "run.terminated": toRow,
  },
  keyOf: ({ taskId }) => taskId,
};

function toRow({ state }: Run): RoutedTaskView | null {
  return isRoutedTask(state) ? routedTaskOf(state) : null;
}
