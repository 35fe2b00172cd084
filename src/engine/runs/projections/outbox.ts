import { carrierOf, nameOf } from "../../../tasks/addresses.ts";
import { externalIdOf } from "../../machine/external-ids.ts";
import { idempotencyKeyOf } from "../../machine/paths.ts";
import type { JournalRecord } from "../../machine/records.ts";
import { type Run, specOf } from "../../machine/run.ts";
import { isDoneThen } from "../../machine/tasks/handouts.ts";
import { retryOf, timeoutsOf } from "../../machine/tasks/limits.ts";
import type { OutboxRow, OutgoingEvent, OutgoingTask } from "../../ports/bus/outbox.ts";
import type { RowMaker } from "../../ports/projections.ts";
import { workOf } from "../dispatch/ready-task.ts";

/** Messages of a run in the order of its records: events of `emit` tasks, and tasks for executors. */
export const outboxRows: RowMaker<Run, JournalRecord, OutboxRow> = {
  projection: "outbox",
  on: {
    "task.completed": (run, record, sequence) => {
      if (!isEvent(run, record)) return null;
      const { task: path, at } = record;
      const { runId, tenantId, tasks } = run.state;
      const { destination: topic, orderKey, input } = workOf(run, { path, input: tasks.get(path)?.input });
      const key = orderKey === "" ? runId : orderKey;
      const content = input as unknown as OutgoingEvent;
      return {
        ...{ tenantId, taskPath: path, sequence, at, destination: "kafka", topic, key },
        kind: "event",
        content,
      };
    },
    "task.dispatched": (run, { task, to, attempt, at }, sequence) => {
      if (!isTopic(to)) return null;
      const { runId, tenantId } = run.state;
      const content = toOutgoingTask(run, task, attempt, sequence);
      if (content === null) return null;
      return {
        ...{ tenantId, taskPath: task, sequence, at },
        destination: "kafka",
        topic: nameOf(to),
        key: runId,
        kind: "task",
        content,
      };
    },
  },
};

/** Whether a record writes a message into the outbox of a service that sends dead letters. */
export function sendsMessage(run: Run, record: JournalRecord): boolean {
  if (record.type === "task.failed") return record.deadLetter !== undefined;
  if (record.type === "task.dispatched") return isTopic(record.to);
  return record.type === "task.completed" && isEvent(run, record);
}

function isTopic(to: string | undefined): to is string {
  return to !== undefined && carrierOf(to) === "topics";
}

/** A task that somebody else ended sends nothing. */
function isEvent(run: Run, { task, told }: Extract<JournalRecord, { readonly type: "task.completed" }>): boolean {
  const spec = specOf(run, task);
  return told === undefined && spec.carrier === "topics" && isDoneThen(spec);
}

function toOutgoingTask(run: Run, path: string, attempt: number, fence: number): OutgoingTask | null {
  const task = run.state.tasks.get(path);
  if (task === undefined) return null;
  const { runId, facts } = run.state;
  const spec = specOf(run, path);
  const { handler, input } = workOf(run, task);
  return {
    ...{ taskId: externalIdOf(run.plan, path), handler, inputs: input, attempt, fence },
    maxRetries: retryOf(spec, task).maxRetries,
    timeoutMs: timeoutsOf(spec, task.limits).startToCloseMs,
    correlationId: facts.correlationId,
    userId: facts.userId,
    context: facts.context,
    idempotencyKey: idempotencyKeyOf(runId, path, task.generation),
  };
}
