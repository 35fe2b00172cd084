/** Messages about executions of workflows: one when such a run begins, and one when it ends. */
import { EXECUTION_LABELS, EXECUTION_SOURCE } from "../../../base/labels.ts";
import { isEndRecord } from "../../machine/control/end-records.ts";
import type { JournalRecord } from "../../machine/records.ts";
import type { Run } from "../../machine/run.ts";
import type { OutboxRow, OutgoingAnswer } from "../../ports/bus/outbox.ts";
import { EXECUTION_ANSWERS } from "../../ports/bus/outbox.ts";
import type { RowMaker } from "../../ports/projections.ts";

type Makers = RowMaker<Run, JournalRecord, OutboxRow>["on"];

/** What the records of executions write into the outbox, for a service that answers on Redis. */
export const executionAnswers = {
  // One that cannot begin has no version of a flow: its end is the only answer.
  "run.started": (run, { at, version, startAt }, sequence) => {
    if (version === "") return null;
    const status = startAt === undefined ? "running" : "pending";
    return toRow(run, at, sequence, { status, output: null, error: null, completed_at: null });
  },
  "run.completed": (run, { at, output }, sequence) =>
    toRow(run, at, sequence, { status: "completed", output, error: null, completed_at: toTime(at) }),
  "run.failed": (run, { at, error }, sequence) => toEnd(run, at, sequence, "failed", error),
  "run.canceled": (run, { at }, sequence) => toEnd(run, at, sequence, "cancelled", run.state.error),
  "run.timed_out": (run, { at }, sequence) => toEnd(run, at, sequence, "failed", run.state.error),
  "run.terminated": (run, { at }, sequence) => toEnd(run, at, sequence, "cancelled", run.state.error),
} as const satisfies Makers;

/** Whether records of a run write such messages. */
export function answersExecution(run: Run, records: readonly JournalRecord[]): boolean {
  return isExecution(run) && records.some((record) => record.type === "run.started" || isEndRecord(record));
}

/** Runs that executions start are not executions, though they inherit the labels. */
function isExecution({ state }: Run): boolean {
  return state.facts.labels[EXECUTION_LABELS.source] === EXECUTION_SOURCE && state.facts.parent === null;
}

function toEnd(
  run: Run,
  at: number,
  sequence: number,
  status: OutgoingAnswer["status"],
  error: { readonly type: string; readonly message: string } | null,
): OutboxRow | null {
  const described = error === null ? null : { code: error.type, message: error.message };
  return toRow(run, at, sequence, { status, output: null, error: described, completed_at: toTime(at) });
}

function toRow(
  run: Run,
  at: number,
  sequence: number,
  answer: Pick<OutgoingAnswer, "status" | "output" | "error" | "completed_at">,
): OutboxRow | null {
  if (!isExecution(run)) return null;
  const { runId, tenantId, facts, createdAt } = run.state;
  return {
    ...{ tenantId, taskPath: "", sequence, at },
    ...{ destination: "redis", topic: EXECUTION_ANSWERS, key: runId, kind: "answer" },
    content: {
      execution_id: runId,
      correlation_id: facts.correlationId || runId,
      status: answer.status,
      workflow_template: facts.labels[EXECUTION_LABELS.template] ?? null,
      output: answer.output,
      error: answer.error,
      started_at: toTime(createdAt),
      completed_at: answer.completed_at,
    },
  };
}

function toTime(at: number): string {
  return new Date(at).toISOString();
}
