/** Starts that came with messages, as instances hand them to each other. */
import { create } from "@bufbuild/protobuf";
import type { JsonObject } from "../../base/json/json.ts";
import { parseStoredJson } from "../../base/json/json-stored.ts";
import { readTraceContext, TRACEPARENT } from "../../base/traces/trace-context.ts";
import type { MessageStart } from "../../engine/ports/bus/commands.ts";
import type { StartRequest } from "../../engine/ports/run-control.ts";
import { MessageStartSchema, type MessageStart as SentStart } from "../../gen/orchestrator/peer/v1/peer_service_pb.ts";
import { encodeJson } from "./payload.ts";

/** The start as a request to the engine. */
export function toStartRequest({ actor: _, ...start }: MessageStart): StartRequest {
  return {
    ...start,
    ...{ fromMessage: true, requestId: "", requestHash: "", runKey: "", runKeyPolicy: "reject" },
    ...{ signals: [], runTimeoutMs: null, startDelayMs: 0 },
  };
}

export function toSentStart(start: MessageStart): SentStart {
  const {
    runId,
    flowId,
    version,
    userId,
    correlationId,
    input,
    context,
    refusal,
    labels,
    actor = "",
    hops = 0,
    trace = null,
  } = start;
  return create(MessageStartSchema, {
    ...{ runId, flowId, version, userId, correlationId, labels, actor, hops },
    ...trace,
    inputJson: encodeJson(input),
    ...(context === null ? {} : { executionContextJson: encodeJson(context) }),
    ...(refusal === null ? {} : { refusal }),
  });
}

export function fromSentStart(start: SentStart): MessageStart {
  const { runId, flowId, version, userId, correlationId, inputJson, executionContextJson, refusal, labels } = start;
  const { actor, hops, traceparent, tracestate } = start;
  return {
    ...{ runId, flowId, version, userId, correlationId, labels, actor, hops },
    trace: readTraceContext((name) => (name === TRACEPARENT ? traceparent : tracestate)),
    input: fromBytes(inputJson) ?? {},
    context: fromBytes(executionContextJson),
    refusal: refusal === undefined ? null : { type: refusal.type, message: refusal.message },
  };
}

function fromBytes(bytes: Uint8Array): JsonObject | null {
  return bytes.length === 0 ? null : (parseStoredJson(new TextDecoder().decode(bytes)) as JsonObject);
}
