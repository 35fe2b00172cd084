/** Converts start requests of the contract to those of the engine. */
import type { Message } from "@bufbuild/protobuf";
import { refuseField } from "../../../base/field-error.ts";
import type { JsonObject } from "../../../base/json/json.ts";
import { MAX_CONTEXT_BYTES } from "../../../base/json/json-limits.ts";
import { parseJson } from "../../../base/json/json-parse.ts";
import type { Caller } from "../../../engine/ports/caller.ts";
import type { StartRequest } from "../../../engine/ports/run-control.ts";
import { limitNameProblem } from "../../../flows/builtin/limit-names.ts";
import type { RunLimit } from "../../../flows/plan.ts";
import type { RunLimit as RunLimitMessage, StartRunRequest } from "../../../gen/orchestrator/v1/run_service_pb.ts";
import type { Origin } from "../../calls/hops.ts";
import { hashBody } from "../../calls/request-key.ts";
import { RUN_KEY_POLICY_NAME } from "../../mapping/enums.ts";
import type { PayloadInput, PayloadLimits, StoredPayloads } from "../../mapping/payload.ts";
import { fromObjectPayload, fromPayload, NO_STORED_PAYLOADS, referenceOf } from "../../mapping/payload.ts";
import { fromDuration } from "../../mapping/time.ts";
import { type PayloadReader, readReferences } from "../stored-payloads.ts";

/** Reads the payloads behind the references of a start. Starts without references, nearly all, do not wait. */
export function readStartReferences(
  reader: PayloadReader,
  caller: Caller,
  { inputValue, signals }: StartRunRequest,
): Promise<StoredPayloads> | StoredPayloads {
  const payloads: PayloadInput[] = signals.map((signal) => signal.dataValue);
  payloads.push(inputValue);
  return payloads.some(referenceOf) ? readReferences(reader, caller, payloads) : NO_STORED_PAYLOADS;
}

/**
 * Converts a start request that comes from `origin`. `stored` has the payloads behind its references.
 * Errors: INVALID_JSON, PAYLOAD_TOO_LARGE, PAYLOAD_NOT_FOUND, INVALID_REQUEST.
 */
export function fromStartRequest(
  request: StartRunRequest,
  limits: PayloadLimits,
  stored: StoredPayloads,
  origin: Origin,
  requestId = request.requestId,
): StartRequest {
  const start = {
    flowId: request.flowId,
    version: request.version,
    input: fromObjectPayload(request.inputValue, "input", limits, stored),
    runId: request.runId,
    runKey: request.runKey,
    runKeyPolicy: RUN_KEY_POLICY_NAME[request.runKeyPolicy as keyof typeof RUN_KEY_POLICY_NAME],
    labels: request.labels,
    userId: request.userId,
    correlationId: request.correlationId,
    context: request.executionContextJson.length === 0 ? null : fromContext(request.executionContextJson),
    runTimeoutMs: request.runTimeout === undefined ? null : fromDuration(request.runTimeout),
    startDelayMs: request.startDelay === undefined ? 0 : fromDuration(request.startDelay),
    signals: request.signals.map((signal, index) => ({
      name: signal.signalName,
      payload: fromPayload(signal.dataValue, `signals[${index}].data`, null, limits, stored),
    })),
    // Absent from the hash of a start that has none, as in earlier releases.
    ...(request.limit === undefined ? {} : { limit: fromLimit(request.limit) }),
  };
  // What is hashed is compared with calls to earlier releases.
  return {
    ...start,
    fromMessage: false,
    refusal: null,
    ...origin,
    requestId,
    requestHash: requestId === "" ? "" : hashBody(start),
  };
}

/**
 * Milliseconds of a `wait`; 0 without one. It is shortened so that the response can be sent before the deadline of the
 * call.
 */
export function fromWait(
  wait: (Message & { seconds: bigint; nanos: number }) | undefined,
  remainingMs: number,
): number {
  const waitMs = wait === undefined ? 0 : Number(wait.seconds) * 1_000 + Math.ceil(wait.nanos / 1_000_000);
  if (waitMs === 0) return 0;
  return Math.max(0, Math.floor(Math.min(waitMs, remainingMs - Math.min(500, remainingMs / 5))));
}

function fromLimit({ name, key }: RunLimitMessage): RunLimit {
  const problem = limitNameProblem(name);
  if (problem !== null) refuseField("limit.name", problem);
  return { name, key, maxConcurrent: null, rate: null };
}

function fromContext(bytes: Uint8Array): JsonObject {
  const context = parseJson(bytes, { field: "execution_context_json", maxBytes: MAX_CONTEXT_BYTES });
  if (typeof context === "object" && context !== null && !Array.isArray(context)) return context as JsonObject;
  return refuseField("execution_context_json", "must contain a JSON object");
}
