/** Messages on the topic of dead letters. Times are RFC 3339, attempts count from 0 as in the messages of tasks. */
import type {
  Outgoing,
  OutgoingDeadLetter,
  OutgoingRejected,
  OutgoingUndelivered,
} from "../../../engine/ports/bus/outbox.ts";

/** A task that is not tried again. */
export function toDeadLetter({ runId, taskPath, tenantId, at }: Outgoing, task: OutgoingDeadLetter) {
  return {
    event_type: "task_dead_lettered",
    run_id: runId,
    task_id: task.taskId ?? taskPath,
    flow_id: task.flowId,
    flow_version: task.version,
    handler: task.handler,
    tenant_id: tenantId,
    user_id: task.userId,
    correlation_id: task.correlationId === "" ? runId : task.correlationId,
    execution_context: task.context ?? {},
    inputs: task.inputs,
    attempts: task.attempts,
    errors: task.errors.map(({ attempt, at: failedAt, type, message }) => ({
      attempt: Math.max(attempt - 1, 0),
      error_type: type,
      error: message,
      failed_at: toTime(failedAt),
    })),
    error_type: task.error.type,
    error: task.error.message,
    error_details: task.error.details ?? null,
    reason: task.reason,
    scheduled_at: toTime(task.scheduledAt),
    failed_at: toTime(at),
  };
}

/** A message that can never be applied. */
export function toRejected(at: number, rejected: OutgoingRejected) {
  const { topic, partition, offset, key, value, headers, sentAt, reason, problem } = rejected;
  return {
    event_type: "message_rejected",
    ...{ topic, partition, offset: Number(offset), key, value, headers, reason, problem },
    sent_at: toTime(sentAt),
    rejected_at: toTime(at),
  };
}

/** Producers may stamp messages with any number. */
function toTime(at: number): string | null {
  const date = new Date(at);
  return Number.isNaN(date.getTime()) ? null : date.toISOString();
}

/** An event that is not tried any more. */
export function toUndelivered({ runId, taskPath, tenantId, sequence, at }: Outgoing, message: OutgoingUndelivered) {
  const { messageId, destination, place, code, reason, event } = message;
  return {
    event_type: "message_undeliverable",
    ...{ message_id: messageId, destination, place, reason: code, problem: reason },
    ...{ run_id: runId, task_id: taskPath, tenant_id: tenantId, sequence },
    ...{ payload: event.payload, headers: event.headers },
    rejected_at: toTime(at),
  };
}
