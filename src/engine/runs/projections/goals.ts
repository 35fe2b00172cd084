import type { JournalRecord } from "../../machine/records.ts";
import type { Run } from "../../machine/run.ts";
import type { GoalRecord } from "../../ports/gate/goals.ts";
import type { RowMaker } from "../../ports/projections.ts";
import { goalOf, isGoal } from "../goals/goal.ts";

/** Goals, for lists and for the tables of others. The row is written whenever the status changes. */
export const goalRows: RowMaker<Run, JournalRecord, GoalRecord> = {
  projection: "goals",
  on: {
    "run.started": toRow,
    "run.opened": toRow,
    "run.completed": toRow,
    "run.failed": toRow,
    "run.canceled": toRow,
    "run.timed_out": toRow,
    "run.terminated": toRow,
  },
  keyOf: ({ goalId }) => goalId,
};

function toRow({ state }: Run): GoalRecord | null {
  return isGoal(state) ? goalOf(state) : null;
}
