/** CallbackService: results of calls that come later. */
import { create } from "@bufbuild/protobuf";
import { refuseField } from "../../base/field-error.ts";
import { isJsonObject, type Json } from "../../base/json/json.ts";
import type { Outcome } from "../../engine/machine/events.ts";
import type { Callbacks } from "../../engine/ports/dispatch/callbacks.ts";
import { AnswerCallbackResponseSchema, CallbackService } from "../../gen/orchestrator/v1/callback_service_pb.ts";
import type { ServiceHandlers } from "../calls/call.ts";
import { defineService } from "../calls/services.ts";
import { fromPayload, NO_STORED_PAYLOADS, type PayloadLimits } from "../mapping/payload.ts";

interface Needs {
  readonly callbacks: Callbacks;
  readonly limits: PayloadLimits;
}

/** Longest type and message of an error, characters: those of errors of workers. */
const MAX_TYPE_LENGTH = 128;
const MAX_MESSAGE_LENGTH = 8_192;
/** Longest delay that an error may ask for: a year. */
const MAX_DELAY_SECONDS = 31_536_000;

function createHandlers({ callbacks, limits }: Needs): ServiceHandlers<typeof CallbackService> {
  return {
    async answerCallback({ callbackToken, result }) {
      const given = result === undefined ? { case: undefined } : { case: "result" as const, value: result };
      const body = fromPayload(given, "result", null, limits, NO_STORED_PAYLOADS);
      await callbacks.answer(callbackToken, toOutcome(body));
      return create(AnswerCallbackResponseSchema);
    },
  };
}

function toOutcome(body: Json): Outcome {
  if (!isJsonObject(body) || !Object.hasOwn(body, "error") || Object.keys(body).length > 1)
    return { ok: true, output: body };
  const { error } = body;
  if (!isJsonObject(error))
    return refuseField("error", "must be an object: {type, message, retryable, next_retry_delay, details}");
  const { type, message = "", retryable = true, next_retry_delay: delay = null, details = null, ...rest } = error;
  const [unknown] = Object.keys(rest);
  if (unknown !== undefined)
    return refuseField(
      `error.${unknown}`,
      "is not known; an error has type, message, retryable, next_retry_delay, and details",
    );
  if (typeof type !== "string" || type === "" || type.length > MAX_TYPE_LENGTH)
    return refuseField("error.type", `must be text of 1 to ${MAX_TYPE_LENGTH} characters`);
  if (typeof message !== "string" || message.length > MAX_MESSAGE_LENGTH)
    return refuseField("error.message", `must be text of at most ${MAX_MESSAGE_LENGTH} characters`);
  if (typeof retryable !== "boolean") return refuseField("error.retryable", "must be true or false");
  if (delay !== null && (typeof delay !== "number" || delay < 0 || delay > MAX_DELAY_SECONDS))
    return refuseField("error.next_retry_delay", `must be seconds, from 0 to ${MAX_DELAY_SECONDS}`);
  return {
    ok: false,
    error: {
      ...{ type, message, retryable },
      ...(delay === null ? {} : { nextRetryDelayMs: Math.round(delay * 1_000) }),
      ...(details === null ? {} : { details }),
    },
  };
}

/** CallbackService with its handlers. */
export const callbackService = defineService(CallbackService, createHandlers);
