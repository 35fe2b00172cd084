/** Starts of runs, as the port of the engine takes them. */
import type { StartRequest } from "../../src/engine/ports/run-control.ts";

/** A start with everything absent but what is given. */
export function startOf(flowId: string, more: Partial<StartRequest> = {}): StartRequest {
  return {
    flowId,
    version: "",
    input: {},
    requestId: "",
    requestHash: "",
    runId: "",
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
