/** CallbackService: results of calls that come later. */
import { create } from "@bufbuild/protobuf";
import { fail } from "../../base/errors.ts";
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
  if (!isJsonObject(error)) return refuse("error", "must be an object: {type, message, retryable}");
  const { type, message = "", retryable = true, ...rest } = error;
  const [unknown] = Object.keys(rest);
  if (unknown !== undefined)
    return refuse(`error.${unknown}`, "is not known; an error has type, message, and retryable");
  if (typeof type !== "string" || type === "" || type.length > MAX_TYPE_LENGTH)
    return refuse("error.type", `must be text of 1 to ${MAX_TYPE_LENGTH} characters`);
  if (typeof message !== "string" || message.length > MAX_MESSAGE_LENGTH)
    return refuse("error.message", `must be text of at most ${MAX_MESSAGE_LENGTH} characters`);
  if (typeof retryable !== "boolean") return refuse("error.retryable", "must be true or false");
  return { ok: false, error: { type, message, retryable } };
}

function refuse(field: string, description: string): never {
  return fail(
    "INVALID_REQUEST",
    { problem: `${field} ${description}`, field },
    { violations: [{ field, description }] },
  );
}

/** CallbackService with its handlers. */
export const callbackService = defineService(CallbackService, createHandlers);
