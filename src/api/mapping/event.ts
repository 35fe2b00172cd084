/** Converts journal records to events of the contract. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { create } from "@bufbuild/protobuf";
import type { Json, JsonObject } from "../../base/json/json.ts";
import { formatRfc3339 } from "../../base/time/rfc3339.ts";
import { attemptOf, type JournalRecord } from "../../engine/machine/records.ts";
import type { TaskStateName } from "../../engine/machine/state.ts";
import type { RunEventView } from "../../engine/ports/run-reader.ts";
import type { NoteView, TaskNote } from "../../engine/ports/run-watch.ts";
import type { RunEvent } from "../../gen/orchestrator/v1/run_event_pb.ts";
import { RunEventSchema } from "../../gen/orchestrator/v1/run_event_pb.ts";
import {
  APPROVAL_STATE,
  type END_PHASE,
  EVENT_KIND,
  HOLD_KIND,
  LOG_LEVEL,
  RUN_PHASE,
  SKIP_REASON,
  TASK_STATE,
} from "./enums.ts";
import type { PlanIndex } from "./plan-index.ts";
import { specAt } from "./plan-index.ts";
import { toRunError } from "./run.ts";
import { toTaskError, toWait } from "./task.ts";
import { toTimestamp } from "./time.ts";

type Detail = NonNullable<MessageInitShape<typeof RunEventSchema>["detail"]>;
/** Records of tasks that change no state. */
type NoTransition = "task.checkpointed" | "task.detached";
type TaskRecord = Exclude<
  Extract<JournalRecord, { readonly task: string; readonly at: number; readonly type: `task.${string}` }>,
  { readonly type: NoTransition }
>;

/** Converts a record. `index` has the types of tasks; null if the plan is not available. */
export function toEvent(view: RunEventView, cursor: string, index: PlanIndex | null): RunEvent {
  const { record } = view;
  return create(RunEventSchema, {
    runId: view.runId,
    sequence: view.sequence,
    cursor,
    durable: true,
    eventTime: toTimestamp(record.at),
    taskId: "task" in record ? record.task : "",
    attempt: attemptOf(record),
    kind: EVENT_KIND[record.type],
    detail: toDetail(view, index),
    attributes: toAttributes(record) as Record<string, never>,
  });
}

/** Converts a note of an attempt. It has no place in the stream: `cursor` is that of the last durable event. */
export function toNoteEvent(runId: string, { task, attempt, at, note }: NoteView, cursor: string): RunEvent {
  return create(RunEventSchema, {
    runId,
    cursor,
    durable: false,
    eventTime: toTimestamp(at),
    taskId: task,
    attempt,
    detail: toNoteDetail(note),
  });
}

function toNoteDetail(note: TaskNote): Detail {
  if (note.type === "log") return { case: "log", value: { level: LOG_LEVEL[note.level], message: note.text } };
  if (note.type === "token") return { case: "token", value: { text: note.text } };
  const { fraction, current, total, message } = note;
  return {
    case: "progress",
    value: {
      message,
      ...(fraction === null ? {} : { fraction }),
      ...(current === null ? {} : { current }),
      ...(total === null ? {} : { total }),
    },
  };
}

function toDetail({ record, sequence }: RunEventView, index: PlanIndex | null): Detail {
  switch (record.type) {
    case "run.started":
      return {
        case: "runTransition",
        value: { phase: record.startAt === undefined ? RUN_PHASE.RUNNING : RUN_PHASE.QUEUED },
      };
    case "run.opened":
      return { case: "runTransition", value: { phase: RUN_PHASE.RUNNING } };
    case "run.completed":
      return { case: "runTransition", value: { phase: RUN_PHASE.COMPLETED } };
    case "run.failed":
      return { case: "runTransition", value: { phase: RUN_PHASE.FAILED, error: toRunError(record.error) } };
    case "run.canceled":
      return {
        case: "runTransition",
        value: { phase: RUN_PHASE.CANCELED, reason: record.reason ?? "", actor: record.by ?? "" },
      };
    case "run.timed_out":
      return { case: "runTransition", value: { phase: RUN_PHASE.TIMED_OUT } };
    case "run.terminated":
      return { case: "runTransition", value: { phase: RUN_PHASE.TERMINATED, reason: record.reason, actor: record.by } };
    case "run.ending":
    case "run.compensating": {
      const phase = record.type === "run.ending" ? RUN_PHASE.CANCELING : RUN_PHASE.COMPENSATING;
      const { cause } = record;
      const error = cause.error === null ? {} : { error: toRunError(cause.error) };
      return { case: "runTransition", value: { phase, reason: cause.reason, actor: cause.by, ...error } };
    }
    case "run.held":
    case "run.released": {
      const hold = {
        kind: HOLD_KIND[record.hold],
        actor: record.by,
        reason: record.why,
        sinceTime: toTimestamp(record.at),
      };
      return { case: "holdChange", value: { hold, held: record.type === "run.held" } };
    }
    case "signal.received":
      return { case: "signalChange", value: { signalName: record.name, consumed: false, actor: record.by ?? "" } };
    case "signal.consumed":
      return { case: "signalChange", value: { signalName: record.name ?? "", consumed: true } };
    case "signal.guard_failed": {
      const guardError = toRunError({ ...record.error, task: record.state });
      return { case: "signalChange", value: { signalName: record.name, consumed: false, guardError } };
    }
    case "approval.ended": {
      const { state, by, comment } = record;
      const approvalId = String(record.approval);
      return { case: "approvalChange", value: { approvalId, state: APPROVAL_STATE[state], actor: by, comment } };
    }
    default:
      return isTaskRecord(record)
        ? { case: "taskTransition", value: toTaskTransition(record, sequence, index) }
        : { case: undefined };
  }
}

function isTaskRecord(record: JournalRecord): record is TaskRecord {
  return record.type.startsWith("task.") && record.type !== "task.checkpointed" && record.type !== "task.detached";
}

const STATE_AFTER = {
  "task.dispatched": "RUNNING",
  "task.scheduled": "SCHEDULED",
  "task.limited": "SCHEDULED",
  "task.started": "RUNNING",
  "task.returned": "SCHEDULED",
  "task.expanded": "RUNNING",
  "task.waiting": "WAITING",
  "task.suspended": "WAITING",
  "task.completed": "COMPLETED",
  "task.retrying": "RETRYING",
  "task.failed": "FAILED",
  "task.skipped": "SKIPPED",
  "task.canceled": "CANCELED",
  "task.compensated": "COMPENSATED",
} as const satisfies Record<TaskRecord["type"], TaskStateName>;

function stateAfter(record: TaskRecord): TaskStateName {
  if (record.type === "task.failed" && record.timedOut === true) return "TIMED_OUT";
  if (record.type === "task.dispatched" && record.to !== undefined) return "SCHEDULED";
  return STATE_AFTER[record.type];
}

function toTaskTransition(
  record: TaskRecord,
  sequence: number,
  index: PlanIndex | null,
): Extract<Detail, { case: "taskTransition" }>["value"] {
  return {
    state: TASK_STATE[stateAfter(record)],
    taskType: (index === null ? undefined : specAt(index, record.task))?.type ?? "",
    ...(record.type === "task.skipped" ? { skipReason: SKIP_REASON[record.reason] } : {}),
    ...("error" in record ? { error: toTaskError(record.error) } : {}),
    ...("told" in record && record.told !== undefined ? { actor: record.told.by, reason: record.told.why } : {}),
    ...(record.type === "task.retrying" ? { nextAttemptTime: toTimestamp(record.dueAt) } : {}),
    ...(record.type === "task.waiting" ? { wait: toWait(record.wait, record.dueAt, record.input, sequence) } : {}),
    ...(record.type === "task.suspended" ? { wait: toWait(record.wait, record.dueAt, record.value, sequence) } : {}),
  };
}

/** Attributes of a record without a field of their own, except payloads. */
function toAttributes(record: JournalRecord): JsonObject {
  switch (record.type) {
    case "run.started": {
      const { limit } = record;
      const limited = limit === undefined ? {} : { limit: limit.name, limit_key: limit.key };
      const { sampled, caller } = record.facts.trace ?? {};
      const traced = {
        ...(sampled === undefined ? {} : { trace_sampled: sampled }),
        ...(caller === undefined ? {} : { traceparent: caller }),
      };
      return { flow_id: record.flowId, version: record.version, flow_hash: record.hash, ...limited, ...traced };
    }
    case "run.ending":
    case "run.compensating":
      return { outcome: END_NAME[record.cause.end], compensate: record.cause.compensate };
    case "run.budget_warned":
      return { budget_id: record.budget, message: record.why };
    case "run.restored":
      return { actor: record.by };
    case "task.dispatched":
      return {
        ...(record.to === undefined ? {} : { worker_session_id: record.to }),
        ...(record.again === true ? { again: true } : {}),
      };
    case "task.limited":
      return { limit: record.name, limit_key: record.key };
    case "task.returned":
      return { reason: record.reason };
    case "task.checkpointed":
      return { characters: record.checkpoint.length };
    case "task.expanded":
      return { count: record.count };
    case "task.retrying":
      return record.deferred === true ? { deferred: true } : {};
    case "task.failed":
      return {
        ...(record.handled === true ? { handled: true } : {}),
        ...(record.deadLetter === undefined ? {} : { dead_letter: true, dead_letter_reason: record.deadLetter }),
      };
    case "signal.received":
    case "signal.consumed":
    case "signal.guard_failed":
      return { signal_number: record.id };
    case "state.entered":
      return { state: record.state, visit: record.visit, by: record.by as unknown as Json };
    case "state.armed":
      return {
        after: record.after.map((timer) => ({ index: timer.index, due_time: formatRfc3339(timer.dueAt) })),
      };
    default:
      return {};
  }
}

const END_NAME = {
  failed: "FAILED",
  canceled: "CANCELED",
  timed_out: "TIMED_OUT",
  terminated: "TERMINATED",
} as const satisfies Partial<Record<keyof typeof END_PHASE, string>>;
