import type { Json } from "../../../src/base/json/json.ts";
import type { ToolCall } from "../../../src/engine/ports/tools.ts";

/** A call for tests. */
export function aCall(type: ToolCall["type"], input: Json, more: Partial<ToolCall> = {}): ToolCall {
  return {
    runId: "run-1",
    tenantId: "default",
    flowId: "flow",
    userId: "",
    budgets: [],
    correlationId: "",
    path: "fetch",
    taskId: "fetch",
    type,
    input,
    attempt: 1,
    waitedMs: 0,
    idempotencyKey: "run-1/fetch/0",
    fencingToken: 7,
    answer: null,
    timeoutMs: 10_000,
    ...more,
  };
}
