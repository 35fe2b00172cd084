import type { TraceContext } from "../../base/traces/trace-context.ts";
import type { Outcome, ToolCall } from "../../engine/ports/tools.ts";
import type { Step } from "./path.ts";

/** Spans of calls; the telemetry layer has the implementation. */
export interface CallSpans {
  /** A call begins; null: its run is not sampled. */
  begin(call: ToolCall): CallSpan | null;
}

/** The span of a call. */
export interface CallSpan {
  /** What the call hands on. */
  context(): TraceContext;
  /** See {@link ToolCall.describe}. */
  readonly describe: NonNullable<ToolCall["describe"]>;
  /** See {@link ToolCall.another}. */
  readonly another: NonNullable<ToolCall["another"]>;
  end(outcome: Outcome): void;
}

/** The innermost step: what it spans is the call itself, without waits for slots and breakers. */
export function withSpan(spans: CallSpans): Step {
  return async (current, next) => {
    const span = spans.begin(current.call);
    if (span === null) return next(current);
    const { context, describe, another } = span;
    const outcome = await next({ ...current, call: { ...current.call, describe, another, traceContext: context } });
    span.end(outcome);
    return outcome;
  };
}
