/** Errors that agents give. */
import { isJsonObject, type Json, type JsonObject } from "../../../base/json/json.ts";
import type { AgentAnswer } from "../../../engine/ports/dispatch/agents.ts";
import { AnswerRefused } from "./refused.ts";

type Failure = Extract<NonNullable<AgentAnswer["outcome"]>, { ok: false }>["error"];

/** Longest delay that an agent may ask for, milliseconds. */
const MAX_DELAY_MS = 86_400_000;

/** What flows can match. Other types are part of the message. */
const TYPE = /^[A-Z][A-Z0-9_]{0,63}$/;
const MAX_TYPE_LENGTH = 255;

/**
 * Errors are text, or an object `{type, message, retryable, next_retry_delay, details}`. Throws {@link AnswerRefused}.
 */
export function readError(error: Json): Failure {
  if (error === null || typeof error === "string") return failureOf("", error ?? "", true);
  if (!isJsonObject(error)) throw new AnswerRefused("error: expected text, or an object with type and message");
  const type = textOf(error, "type");
  const message = textOf(error, "message");
  const { retryable = null, next_retry_delay: delay = null, details = null } = error;
  if (retryable !== null && typeof retryable !== "boolean")
    throw new AnswerRefused("error.retryable: expected true or false");
  if (delay !== null && (typeof delay !== "number" || delay < 0))
    throw new AnswerRefused("error.next_retry_delay: expected seconds, 0 or more");
  const failure = { ...failureOf(type, message, retryable !== false), ...(details === null ? {} : { details }) };
  return delay === null ? failure : { ...failure, nextRetryDelayMs: Math.min(Math.round(delay * 1_000), MAX_DELAY_MS) };
}

/** The engine bounds the message, as it does for every tool. */
function failureOf(type: string, message: string, retryable: boolean): Failure {
  if (TYPE.test(type)) return { type, message, retryable };
  const words = [type.slice(0, MAX_TYPE_LENGTH), message].filter((word) => word !== "").join(": ");
  return { type: "AGENT_FAILED", message: words || "the agent gave no reason", retryable };
}

function textOf(error: JsonObject, name: string): string {
  const value = error[name] ?? "";
  if (typeof value !== "string") throw new AnswerRefused(`error.${name}: expected text`);
  return value;
}
