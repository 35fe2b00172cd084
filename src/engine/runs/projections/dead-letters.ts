import type { Json } from "../../../base/json/json.ts";
import type { DeadLetterReason, JournalRecord } from "../../machine/records.ts";
import type { Run } from "../../machine/run.ts";
import type { RowMaker } from "../../ports/projections.ts";

/** A task that is not tried again. */
export interface DeadLetterRow {
  readonly taskPath: string;
  readonly generation: number;
  readonly tenantId: string;
  readonly flowId: string;
  readonly attempts: number;
  readonly errorType: string;
  readonly errorMessage: string;
  readonly reason: DeadLetterReason;
  /** Evaluated parameters of the task. */
  readonly input: Json;
  readonly at: number;
}

/** Dead letters: tasks that failed for good and whose failure the flow does not handle. */
export const deadLetterRows: RowMaker<Run, JournalRecord, DeadLetterRow> = {
  projection: "dead_letters",
  on: {
    "task.failed": ({ state }, { task: path, error, deadLetter, at }) => {
      if (!deadLetter) return null;
      const task = state.tasks.get(path);
      return {
        taskPath: path,
        generation: task?.generation ?? 0,
        tenantId: state.tenantId,
        flowId: state.flowId,
        attempts: task?.attempt ?? 0,
        errorType: error.type,
        errorMessage: error.message,
        reason: deadLetter,
        input: task?.input ?? null,
        at,
      };
    },
  },
};
