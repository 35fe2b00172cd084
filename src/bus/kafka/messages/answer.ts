import { isJsonObject, type Json, type JsonObject } from "../../../base/json/json.ts";
import type { InboundMessage } from "../../../engine/ports/bus/inbound.ts";
import type { AnsweredTask, HandOvers } from "../../../engine/ports/dispatch/hand-overs.ts";
import { Fields, MessageRefused, readBody } from "../../message-fields.ts";

type Outcome = Parameters<HandOvers["reported"]>[1];

/** The largest whole number of a column, 24 days. */
const MOST_MS = 2 ** 31 - 1;

/** What an executor says about a task. */
export interface TaskAnswer {
  readonly runId: string;
  readonly taskId: string;
  /** From 1; null: the answer does not say. */
  readonly attempt: number | null;
  readonly fence: number | null;
  /** When the work began at the latest, milliseconds since the epoch: the timestamp of the answer less the work. */
  readonly begunAt: number;
  readonly place: AnsweredTask["place"];
}

/** What it says of the attempt: that it has begun, or how it ended. */
export interface TaskChange extends TaskAnswer {
  readonly outcome: Outcome | "started";
}

/** Reads an event of the topic of tasks that have begun. Throws {@link MessageRefused}. */
export function readTaskStarted(message: InboundMessage, maxBytes: number): TaskChange {
  const fields = new Fields(readBody(message.value, maxBytes));
  fields.checkType("task_started");
  return { ...readAnswer(fields, message), outcome: "started" };
}

/** Reads an event of the topic of finished tasks. Throws {@link MessageRefused}. */
export function readTaskDone(message: InboundMessage, maxBytes: number): TaskChange {
  const fields = new Fields(readBody(message.value, maxBytes));
  fields.checkType("task_done");
  return {
    ...readAnswer(fields, message),
    outcome: { ok: true, output: fields.any("output") ?? null, ...readTime(fields) },
  };
}

/** Reads an event of the topic of failed tasks. Throws {@link MessageRefused}. */
export function readTaskFailed(message: InboundMessage, maxBytes: number): TaskChange {
  const fields = new Fields(readBody(message.value, maxBytes));
  fields.checkType("task_failed");
  return {
    ...readAnswer(fields, message),
    outcome: { ok: false, error: readError(fields.any("error")), ...readTime(fields) },
  };
}

function readAnswer(fields: Fields, message: InboundMessage): TaskAnswer {
  const { topicId, partition, offset, leaderEpoch, sentAt } = message;
  const attempt = fields.count("attempt");
  return {
    runId: fields.requiredText("run_id"),
    taskId: fields.requiredText("task_id"),
    attempt: attempt === null ? null : attempt + 1,
    fence: fields.count("fencing_token"),
    begunAt: sentAt - (fields.amount("execution_time_ms") ?? 0),
    place: { log: `${topicId}/${partition}`, epoch: Math.max(leaderEpoch, 0), offset: Number(offset) },
  };
}

/** What the executor says about its time, within what tables and metrics can hold. */
function readTime(fields: Fields): Pick<Outcome, "tookMs"> {
  const tookMs = fields.amount("execution_time_ms");
  return tookMs === null ? {} : { tookMs: Math.min(Math.round(tookMs), MOST_MS) };
}

/** Errors are text, or an object `{type, message, retryable, next_retry_delay, details}`. */
function readError(error: Json | undefined): Extract<Outcome, { ok: false }>["error"] {
  if (typeof error === "string" || error === undefined)
    return { type: "EXECUTOR_FAILED", message: error || "the executor gave no reason", retryable: true };
  if (!isJsonObject(error)) throw new MessageRefused("INVALID_MESSAGE", "error: expected text or an object");
  const fields = new Fields(error as JsonObject);
  const delay = fields.amount("next_retry_delay");
  const details = fields.any("details");
  const retryable = fields.any("retryable");
  if (retryable !== undefined && typeof retryable !== "boolean")
    throw new MessageRefused("INVALID_MESSAGE", "error.retryable: expected true or false");
  return {
    type: fields.text("type") || "EXECUTOR_FAILED",
    message: fields.text("message"),
    retryable: retryable ?? true,
    ...(delay === null ? {} : { nextRetryDelayMs: Math.round(delay * 1_000) }),
    ...(details === undefined ? {} : { details }),
  };
}
