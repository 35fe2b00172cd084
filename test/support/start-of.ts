/** Start requests for the engine. */
import type { StartRequest } from "../../src/engine/ports/run-control.ts";

/** A start request with only the given fields set. */
export function startOf(flowId: string, more: Partial<StartRequest> = {}): StartRequest {
  return {
    flowId,
    version: "",
    input: {},
    requestId: "",
    requestHash: "",
    runId: "",
    fromMessage: false,
    refusal: null,
    runKey: "",
    runKeyPolicy: "reject",
    labels: {},
    userId: "",
    correlationId: "",
    context: null,
    runTimeoutMs: null,
    startDelayMs: 0,
    signals: [],
    ...more,
  };
}
