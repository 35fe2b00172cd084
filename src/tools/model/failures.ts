/** The only place that decides which errors of models are worth another try. */
import type { ModelErrorType } from "../../engine/ports/models/questions.ts";
import { type FailedOutcome, failedOutcome } from "../outcome.ts";
import { parseRetryAfterMs } from "../retry-after.ts";
import type { ChatEnd } from "./process/protocol.ts";
import type { ModelTarget } from "./providers.ts";

const RETRYABLE: Readonly<Record<ModelErrorType, boolean>> = {
  TOO_MANY_REQUESTS: true,
  MODEL_OVERLOADED: true,
  MODEL_FAILED: true,
  MODEL_UNAUTHORIZED: false,
  MODEL_NOT_FOUND: false,
  MODEL_REQUEST_INVALID: false,
  MODEL_QUOTA_EXCEEDED: false,
  REDIRECT_REFUSED: false,
  CONTEXT_TOO_LONG: false,
  CONTENT_REFUSED: false,
  STREAM_CUT: true,
  ANSWER_UNREADABLE: true,
  ANSWER_TOO_LARGE: false,
  CONNECT_FAILED: true,
  CONNECTION_LOST: true,
  TIMEOUT: true,
  MODEL_PROCESS_LOST: true,
  RESPONSE_FORMAT_INVALID: true,
};

/** A failure that a model is to blame for. */
export interface ModelFailure {
  readonly type: ModelErrorType;
  readonly outcome: FailedOutcome;
}

/** A failure of a model, as flows see it. */
export function modelFailure(
  type: ModelErrorType,
  message: string,
  { provider, model }: ModelTarget,
  facts: {
    readonly retryable?: boolean;
    readonly noEffect?: boolean;
    readonly nextRetryDelayMs?: number | undefined;
  } = {},
): ModelFailure {
  const { retryable = RETRYABLE[type], noEffect = false, nextRetryDelayMs } = facts;
  const text = `${provider.name}/${model}: ${message}`;
  return { type, outcome: failedOutcome(type, text, { retryable, noEffect, nextRetryDelayMs }) };
}

/** The failure of a call that gave no answer. */
export function failureOf(
  { error, reached, finishReason, text }: ChatEnd,
  target: ModelTarget,
  now: number,
): ModelFailure | null {
  if (error !== null) {
    const nextRetryDelayMs = RETRYABLE[error.type] ? parseRetryAfterMs(error.retryAfter, now) : undefined;
    return modelFailure(error.type, error.message, target, { noEffect: reached === "unsent", nextRetryDelayMs });
  }
  if (finishReason === "content_filter" || finishReason === "refusal")
    return modelFailure("CONTENT_REFUSED", `the model refused to answer (${finishReason})`, target);
  if (text.includes("\0") || !text.isWellFormed()) {
    const message = "the answer holds NUL or half of a surrogate pair, which no text may hold";
    return modelFailure("ANSWER_UNREADABLE", message, target);
  }
  return null;
}
