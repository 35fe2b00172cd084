/**
 * Messages about attempts that are over though the executor that has them has not answered: it may stop, or skip what
 * still waits in its topic. When a run begins to end, all that have its tasks are told at once; an answer counts until
 * the attempt is given up, of which they are told again.
 */
import { isSilent, nameOf } from "../../../tasks/addresses.ts";
import { externalIdOf } from "../../machine/external-ids.ts";
import { attemptOf, type Cause, type JournalRecord, type Recalled } from "../../machine/records.ts";
import type { Run } from "../../machine/run.ts";
import { type OutboxRow, type RecallReason, TASK_CONTROL_TOPIC } from "../../ports/bus/outbox.ts";
import type { RowMaker } from "../../ports/projections.ts";
import { workOf } from "../dispatch/ready-task.ts";

type Makers = RowMaker<Run, JournalRecord, OutboxRow>["on"];

/** What the records of runs write into the outbox, for a service that tells executors what became of their tasks. */
export const taskControls = {
  "run.ending": (run, { cause, at }, sequence) =>
    recalledAt(run, sequence).map((task) => toRow(run, { ...task, ...reasonOf(cause), sequence, at })),
  "task.completed": (run, record, sequence) => ofEnd(run, record, sequence, toldBy(record.told?.why)),
  "task.retrying": (run, record, sequence) => ofEnd(run, record, sequence, reasonOfFailure(record)),
  "task.failed": (run, record, sequence) => ofEnd(run, record, sequence, reasonOfFailure(record)),
  "task.canceled": (run, record, sequence) => ofEnd(run, record, sequence, reasonOf(run.state.cause)),
} as const satisfies Makers;

/** Whether a record writes such messages. */
export function sendsControl(run: Run, record: JournalRecord): boolean {
  switch (record.type) {
    case "run.ending":
      return recalledAt(run, run.state.sequence).length > 0;
    case "task.completed":
    case "task.retrying":
    case "task.failed":
    case "task.canceled":
      return record.recalled !== undefined;
    default:
      return false;
  }
}

interface Reason {
  readonly reason: RecallReason;
  readonly message: string;
}

interface Attempt extends Recalled {
  readonly path: string;
  readonly attempt: number;
}

/** What executors have when a run begins to end. Those that have answered by the time of the commit have nothing. */
function recalledAt({ state }: Run, sequence: number): readonly Attempt[] {
  if (state.away === 0) return [];
  return [...state.tasks.values()].flatMap(({ path, attempt, handedTo: from, token }) =>
    from !== null && isSilent(from) && token < sequence ? [{ path, attempt, from, token }] : [],
  );
}

function ofEnd(
  run: Run,
  record: Extract<JournalRecord, { readonly recalled?: Recalled }>,
  sequence: number,
  why: Reason,
): OutboxRow | null {
  const { task: path, at, recalled } = record;
  if (recalled === undefined) return null;
  return toRow(run, { ...recalled, ...why, path, attempt: attemptOf(record), sequence, at });
}

const OF_RUN = {
  canceled: "RUN_CANCELED",
  failed: "RUN_FAILED",
  timed_out: "RUN_TIMED_OUT",
  terminated: "RUN_TERMINATED",
} as const satisfies Record<Cause["end"], RecallReason>;

function reasonOf(cause: Cause | null): Reason {
  if (cause === null) return { reason: "TASK_CANCELED", message: "the flow went on without the task" };
  return { reason: OF_RUN[cause.end], message: cause.reason };
}

function reasonOfFailure({
  told,
  error,
}: Extract<JournalRecord, { readonly type: "task.retrying" | "task.failed" }>): Reason {
  return told === undefined ? { reason: "TIMEOUT", message: error.message } : toldBy(told.why);
}

function toldBy(message = ""): Reason {
  return { reason: "ENDED_BY_CALL", message };
}

interface Recall extends Attempt, Reason {
  readonly sequence: number;
  readonly at: number;
}

function toRow(run: Run, { path, attempt, from, token, reason, message, sequence, at }: Recall): OutboxRow {
  const { runId, tenantId, facts, tasks } = run.state;
  const { handler } = workOf(run, { path, input: tasks.get(path)?.input });
  return {
    ...{ tenantId, taskPath: path, sequence, at },
    ...{ destination: "kafka", topic: TASK_CONTROL_TOPIC, key: runId, kind: "control" },
    content: {
      ...{ taskId: externalIdOf(run.plan, path), topic: nameOf(from), handler, attempt, fence: token },
      ...{ reason, message, correlationId: facts.correlationId },
    },
  };
}
