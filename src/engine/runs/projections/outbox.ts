import { invariant } from "../../../base/errors.ts";
import { contextOfAttempt, type TracedAttempt } from "../../../base/traces/run-trace.ts";
import type { TraceContext } from "../../../base/traces/trace-context.ts";
import { carrierOf, nameOf } from "../../../tasks/addresses.ts";
import { externalIdOf } from "../../machine/external-ids.ts";
import { idempotencyKeyOf } from "../../machine/paths.ts";
import { attemptOf, type JournalRecord, type StartFacts } from "../../machine/records.ts";
import { type Run, specOf } from "../../machine/run.ts";
import type { RunState } from "../../machine/state.ts";
import { isDoneThen } from "../../machine/tasks/handouts.ts";
import { retryOf, timeoutsOf } from "../../machine/tasks/limits.ts";
import type { DestinationName, OutboxRow, OutgoingEvent, OutgoingTask } from "../../ports/bus/outbox.ts";
import type { RowMaker } from "../../ports/projections.ts";
import { OUTBOX_CARRIERS, type OutboxCarrier } from "../dispatch/outbox-gate.ts";
import { workOf } from "../dispatch/ready-task.ts";

/** Where events go that leave on a carrier. */
const DESTINATIONS: Readonly<Record<OutboxCarrier, DestinationName>> = {
  topics: "kafka",
  webhooks: "webhook",
  streams: "stream",
};

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
      const { flowId, facts } = run.state;
      const event = input as unknown as Pick<OutgoingEvent, "payload" | "headers">;
      const content = { ...event, ...traceOf(run.state, { path, generation: 0, attempt: attemptOf(record) }) };
      const destination = DESTINATIONS[carrierOfEvent(run, path)];
      const idempotencyKey = idempotencyKeyOf(runId, path, tasks.get(path)?.generation ?? 0);
      return {
        ...{ tenantId, taskPath: path, sequence, at, destination, topic, key },
        kind: "event",
        content: destination === "kafka" ? content : { ...content, idempotencyKey, flowId, ...hopsOf(facts) },
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

function hopsOf({ hops }: StartFacts): { readonly hops?: number } {
  return hops === undefined ? {} : { hops };
}

/** The carrier and the place of the event that a record sends; null: it sends none. */
export function eventOf(
  run: Run,
  record: JournalRecord,
): { readonly carrier: OutboxCarrier; readonly place: string } | null {
  if (record.type !== "task.completed" || !isEvent(run, record)) return null;
  const { task: path } = record;
  const place = workOf(run, { path, input: run.state.tasks.get(path)?.input }).destination;
  return { carrier: carrierOfEvent(run, path), place };
}

/** The plan gives every task that is done when it has left a carrier of the outbox. */
function carrierOfEvent(run: Run, path: string): OutboxCarrier {
  const { carrier } = specOf(run, path);
  const found = OUTBOX_CARRIERS.find((one) => one === carrier);
  invariant(found !== undefined, `the event of ${path} leaves by ${carrier}, which has no outbox`);
  return found;
}

/** Whether a record writes a message for a topic into the outbox of a service that sends dead letters. */
export function sendsMessage(run: Run, record: JournalRecord): boolean {
  if (record.type === "task.failed") return record.deadLetter !== undefined;
  if (record.type === "task.dispatched") return isTopic(record.to);
  return record.type === "task.completed" && isEvent(run, record) && specOf(run, record.task).carrier === "topics";
}

function isTopic(to: string | undefined): to is string {
  return to !== undefined && carrierOf(to) === "topics";
}

/** A task that somebody else ended sends nothing. */
function isEvent(run: Run, { task, told }: Extract<JournalRecord, { readonly type: "task.completed" }>): boolean {
  const spec = specOf(run, task);
  return told === undefined && isDoneThen(spec);
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
    ...traceOf(run.state, { path, generation: task.generation, attempt }),
  };
}

/** The context that goes along with what an attempt sends; nothing without a trace. */
function traceOf(
  { runId, createdAt, facts: { trace } }: RunState,
  attempt: TracedAttempt,
): { readonly trace?: TraceContext } {
  const context = contextOfAttempt({ runId, createdAt, trace }, attempt);
  return context === null ? {} : { trace: context };
}
