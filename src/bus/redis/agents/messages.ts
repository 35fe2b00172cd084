/** Messages of agents: requests as they are published, and answers as they come. See `contracts/agents`. */
import { isOrchestratorError } from "../../../base/errors.ts";
import type { Json, JsonObject } from "../../../base/json/json.ts";
import { parseJson } from "../../../base/json/json-parse.ts";
import type { AgentAnswer, AgentRequest } from "../../../engine/ports/dispatch/agents.ts";

type Note = NonNullable<AgentAnswer["note"]>;
type Outcome = NonNullable<AgentAnswer["outcome"]>;
type Failure = Extract<Outcome, { ok: false }>["error"];

/** Longest delay that an agent may ask for, milliseconds. */
const MAX_DELAY_MS = 86_400_000;

const decoder = new TextDecoder();

/** The request as JSON text. Its parameters are the JSON text that the engine made. */
export function writeRequest({ kind, token, task }: AgentRequest): string {
  const head = JSON.stringify({
    correlation_id: token,
    task_type: kind,
    execution_id: task.runId,
    task_id: task.path,
    attempt: task.attempt - 1,
    timeout: task.timeoutMs === null ? null : task.timeoutMs / 1_000,
    workflow_correlation_id: task.correlationId || null,
  });
  return `${head.slice(0, -1)},"parameters":${decoder.decode(task.inputJson)}}`;
}

/** The request to stop a task, as JSON text. */
export function writeCancel(token: string, reason: string): string {
  return JSON.stringify({ correlation_id: token, reason });
}

/** An answer that cannot be understood, and why. */
export class AnswerRefused extends Error {}

/** Reads an answer. Throws {@link AnswerRefused}. */
export function readAnswer(kind: string, value: Uint8Array, maxBytes: number): AgentAnswer {
  const body = readBody(value, maxBytes);
  const { correlation_id: token, status, progress } = body;
  if (typeof token !== "string" || token === "") throw new AnswerRefused("correlation_id: expected text");
  const note = readNote(progress ?? null);
  switch (status) {
    case "completed":
    case "success":
      return { kind, token, note, outcome: { ok: true, output: body.output ?? body.result ?? body.data ?? null } };
    case "failed":
    case "error":
      return { kind, token, note, outcome: { ok: false, error: readError(body.error ?? null) } };
    default:
      if (note === null) throw new AnswerRefused("status: expected completed or failed, or a progress");
      return { kind, token, note, outcome: null };
  }
}

function readBody(value: Uint8Array, maxBytes: number): JsonObject {
  try {
    const body = parseJson(value, { field: "the answer", maxBytes, largeIntegers: "text" });
    if (isObject(body)) return body;
  } catch (error) {
    if (!isOrchestratorError(error)) throw error;
    throw new AnswerRefused(error.message);
  }
  throw new AnswerRefused("expected a JSON object");
}

/** A number from 0 to 1, a text, or `{fraction, current, total, message}`. */
function readNote(progress: Json): Note | null {
  if (progress === null) return null;
  const { fraction, current, total, message } = isObject(progress)
    ? progress
    : { fraction: progress, current: null, total: null, message: progress };
  return {
    type: "progress",
    fraction: typeof fraction === "number" && fraction >= 0 && fraction <= 1 ? fraction : null,
    current: typeof current === "number" ? current : null,
    total: typeof total === "number" ? total : null,
    message: typeof message === "string" ? message.slice(0, 4_096) : "",
  };
}

/** Errors are text, or an object `{type, message, retryable, next_retry_delay}`. */
function readError(error: Json): Failure {
  if (!isObject(error)) {
    const message = typeof error === "string" && error !== "" ? error : "the agent gave no reason";
    return { type: "AGENT_FAILED", message, retryable: true };
  }
  const { type, message, retryable, next_retry_delay: delay } = error;
  return {
    type: typeof type === "string" && type !== "" ? type.slice(0, 255) : "AGENT_FAILED",
    message: typeof message === "string" ? message : "",
    retryable: retryable !== false,
    ...(typeof delay === "number" && delay >= 0
      ? { nextRetryDelayMs: Math.min(Math.round(delay * 1_000), MAX_DELAY_MS) }
      : {}),
  };
}

function isObject(value: Json): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
