import type { JournalRecord } from "../engine/machine/records.ts";
import type { Run } from "../engine/machine/run.ts";
import { mergeTables } from "../engine/make-rows.ts";
import type { OperationRecord, OperationState } from "../engine/operations/operation-state.ts";
import { operationRows } from "../engine/operations/projections/headers.ts";
import type { OutboxRow } from "../engine/ports/bus/outbox.ts";
import type { AnyRowMaker, RowMaker } from "../engine/ports/projections.ts";
import { approvalRows } from "../engine/runs/projections/approvals.ts";
import { toDeadLetterMessage } from "../engine/runs/projections/dead-letter-messages.ts";
import { deadLetterRows } from "../engine/runs/projections/dead-letters.ts";
import { executionAnswers } from "../engine/runs/projections/execution-answers.ts";
import { generationRows } from "../engine/runs/projections/generations.ts";
import { goalRows } from "../engine/runs/projections/goals.ts";
import { limitPauseRows } from "../engine/runs/projections/limit-pauses.ts";
import { freedSlotRows, limitSlotRows } from "../engine/runs/projections/limit-slots.ts";
import { outboxRows } from "../engine/runs/projections/outbox.ts";
import { routedTaskRows } from "../engine/runs/projections/routed-tasks.ts";
import { taskControls } from "../engine/runs/projections/task-controls.ts";
import { heldTasksRows, takenTaskRows, waitingTaskRows } from "../engine/runs/projections/waiting-tasks.ts";
import type { AnyTable } from "../store/journal/commit-statement.ts";
import type { ProjectionTable } from "../store/journal/projection-table.ts";
import { approvalTable } from "../store/projections/approvals.ts";
import { deadLetterTable } from "../store/projections/dead-letters.ts";
import { generationTable } from "../store/projections/generations.ts";
import { goalTable } from "../store/projections/goals.ts";
import { limitPauseTable } from "../store/projections/limit-pauses.ts";
import { freedSlotTable, limitSlotTable } from "../store/projections/limit-slots.ts";
import { operationTable } from "../store/projections/operations.ts";
import { outboxTable } from "../store/projections/outbox.ts";
import { routedTaskTable } from "../store/projections/routed-tasks.ts";
import { heldTasksTable, takenTaskTable, waitingTaskTable } from "../store/projections/waiting-tasks.ts";

/** Both sides of a projection: how its rows are built, and how they are written. */
export interface Projection<Entity, Rec extends { readonly type: string }> {
  readonly rows: AnyRowMaker<Entity, Rec>;
  readonly table: AnyTable;
}

/** Joins the sides of a projection: both must use the same rows. */
export function joinSides<Entity, Rec extends { readonly type: string }, Row extends object>(
  rows: RowMaker<Entity, Rec, Row>,
  table: ProjectionTable<NoInfer<Row>>,
): Projection<Entity, Rec> {
  if (rows.projection !== table.projection) throw new Error(`${rows.projection} and ${table.projection} are joined`);
  return { rows, table };
}

/** The projection of operations: their headers. */
export const OPERATION_PROJECTIONS: readonly Projection<OperationState, OperationRecord>[] = [
  joinSides(operationRows, operationTable),
];

/**
 * The projections of runs. Each one has a line here, a file in `engine/runs/projections`, and a file in
 * `store/projections`.
 */
export const RUN_PROJECTIONS: readonly Projection<Run, JournalRecord>[] = [
  joinSides(approvalRows, approvalTable),
  joinSides(deadLetterRows, deadLetterTable),
  joinSides(outboxRows, outboxTable),
  joinSides(waitingTaskRows, waitingTaskTable),
  joinSides(takenTaskRows, takenTaskTable),
  joinSides(heldTasksRows, heldTasksTable),
  joinSides(limitSlotRows, limitSlotTable),
  joinSides(freedSlotRows, freedSlotTable),
  joinSides(limitPauseRows, limitPauseTable),
  joinSides(routedTaskRows, routedTaskTable),
  joinSides(goalRows, goalTable),
  joinSides(generationRows, generationTable),
];

/** What runs of a service send besides events and tasks for executors. */
export interface Sends {
  readonly deadLetters: boolean;
  readonly answers: boolean;
  /** What becomes of the tasks that executors have. */
  readonly controls: boolean;
}

/** The row makers of runs. */
export function runRows({ deadLetters, answers, controls }: Sends): readonly AnyRowMaker<Run, JournalRecord>[] {
  const tables: readonly (typeof outboxRows)["on"][] = [
    outboxRows.on,
    ...(controls ? [taskControls] : []),
    ...(deadLetters ? [{ "task.failed": toDeadLetterMessage }] : []),
    ...(answers ? [executionAnswers] : []),
  ];
  const outbox: typeof outboxRows = { ...outboxRows, on: mergeTables<Run, JournalRecord, OutboxRow>(...tables) };
  return RUN_PROJECTIONS.map(({ rows }) => (rows === outboxRows ? outbox : rows));
}
