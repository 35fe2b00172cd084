import type { Json, JsonObject } from "../../../base/json/json.ts";
import type { JournalRecord } from "../../machine/records.ts";
import { type Run, specOf } from "../../machine/run.ts";
import type { RowMaker } from "../../ports/projections.ts";

/** An outgoing event. */
export interface OutboxRow {
  readonly taskPath: string;
  readonly tenantId: string;
  readonly topic: string;
  /** Partition key; the run if the task has none. */
  readonly key: string;
  readonly payload: Json;
  readonly headers: Json;
  readonly at: number;
}

/** Events of `emit` tasks in the order in which the tasks completed. */
export const outboxRows: RowMaker<Run, JournalRecord, OutboxRow> = {
  projection: "outbox",
  on: {
    "task.completed": (run, { task, input, at }) => {
      if (input === undefined || specOf(run, task).type !== "emit") return null;
      const { topic, key, payload, headers } = input as JsonObject;
      return {
        taskPath: task,
        tenantId: run.state.tenantId,
        topic: String(topic ?? ""),
        key: typeof key === "string" ? key : run.state.runId,
        payload: payload ?? null,
        headers: headers ?? {},
        at,
      };
    },
  },
};
