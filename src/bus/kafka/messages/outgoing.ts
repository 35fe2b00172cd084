/** Messages to Kafka: the tasks of executors, and the events of flows. */

import { toTraceFields } from "../../../base/traces/trace-context.ts";
import type { Outgoing, OutgoingControl, OutgoingTask } from "../../../engine/ports/bus/outbox.ts";
import { toDeadLetter, toRejected, toUndelivered } from "./dead-letter.ts";

/** A message as the client library takes it. */
export interface KafkaMessage {
  readonly topic: string;
  readonly key: Buffer;
  readonly value: Buffer;
  readonly headers: Record<string, string>;
}

/** Headers that every message has. */
const RUN_ID = "orchestrator-run-id";
const SEQUENCE = "orchestrator-sequence";
/** The same for all copies of an event, or all attempts of a task. */
const IDEMPOTENCY_KEY = "orchestrator-idempotency-key";

/** Converts a message; `nameOf` gives the name of the topic of a task at the broker. */
export function toKafkaMessage(message: Outgoing, nameOf: (topic: string) => string): KafkaMessage {
  const { topic, key, runId, sequence, taskPath } = message;
  const own = { [RUN_ID]: runId, [SEQUENCE]: String(sequence) };
  if (message.kind === "task") {
    return {
      topic: nameOf(topic),
      key: Buffer.from(key),
      value: Buffer.from(JSON.stringify(toTaskBody(message, message.content))),
      headers: { ...own, [IDEMPOTENCY_KEY]: message.content.idempotencyKey, ...toTraceFields(message.content.trace) },
    };
  }
  const id = `${runId}/${taskPath}/${sequence}`;
  if (message.kind !== "event") {
    const body = bodyOf(message, nameOf);
    const isOfRun = message.kind !== "rejected" && message.kind !== "answer";
    const of = isOfRun ? { ...own, [IDEMPOTENCY_KEY]: id } : { [IDEMPOTENCY_KEY]: key };
    return {
      ...{ topic: nameOf(topic), key: Buffer.from(key), headers: of },
      value: Buffer.from(JSON.stringify(body)),
    };
  }
  const { payload, headers, trace } = message.content;
  return {
    topic,
    key: Buffer.from(key),
    value: Buffer.from(JSON.stringify(payload)),
    headers: { ...(headers as Record<string, string>), ...own, [IDEMPOTENCY_KEY]: id, ...toTraceFields(trace) },
  };
}

function bodyOf(
  message: Extract<Outgoing, { readonly kind: "control" | "dead_letter" | "rejected" | "undelivered" | "answer" }>,
  nameOf: (topic: string) => string,
): object {
  switch (message.kind) {
    case "control":
      return toControlBody(message, message.content, nameOf(message.content.topic));
    case "dead_letter":
      return toDeadLetter(message, message.content);
    case "rejected":
      return toRejected(message.at, message.content);
    case "undelivered":
      return toUndelivered(message, message.content);
    case "answer":
      return message.content;
  }
}

/** A task as executors read it: attempts count from 0, times are seconds. */
function toTaskBody({ runId, taskPath, tenantId }: Outgoing, task: OutgoingTask) {
  return {
    run_id: runId,
    task_id: task.taskId ?? taskPath,
    handler: task.handler,
    inputs: task.inputs,
    attempt: task.attempt - 1,
    max_retries: task.maxRetries,
    timeout: task.timeoutMs === null ? null : task.timeoutMs / 1_000,
    correlation_id: task.correlationId === "" ? runId : task.correlationId,
    tenant_id: tenantId,
    user_id: task.userId,
    execution_context: task.context ?? {},
    fencing_token: task.fence,
  };
}

/** An attempt that is over, with the words of the message of its task. */
function toControlBody({ runId, tenantId }: Outgoing, control: OutgoingControl, topic: string) {
  return {
    event_type: "task_canceled",
    run_id: runId,
    task_id: control.taskId,
    handler: control.handler,
    attempt: control.attempt - 1,
    fencing_token: control.fence,
    topic,
    reason: control.reason,
    message: control.message,
    correlation_id: control.correlationId === "" ? runId : control.correlationId,
    tenant_id: tenantId,
  };
}
