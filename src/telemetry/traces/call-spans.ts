/**
 * Spans of the calls that attempts of this instance make: children of the attempt's span, by the conventions of
 * OpenTelemetry for HTTP and for models. A call that is repeated after a takeover has the same id.
 */
import { callSpanIdOf } from "../../base/traces/run-trace.ts";
import { formatTraceparent, parseTraceparent } from "../../base/traces/trace-context.ts";
import type { Outcome, ToolCall } from "../../engine/ports/tools.ts";
import type { Attributes, SpanSink } from "./span.ts";

/** Creates the spans of calls. `now` gives milliseconds since the epoch. */
export function createCallSpans(sink: SpanSink, now: () => number) {
  return {
    begin(call: ToolCall) {
      const given = call.traceContext?.() ?? null;
      const parent = given === null ? null : parseTraceparent(given.traceparent);
      if (given === null || parent === null || !parent.sampled) return null;
      const { traceId } = parent;
      const { tracestate } = given;
      let number = 1;
      let spanId = callSpanIdOf(parent.spanId, number);
      let startedAt = now();
      let name: string = call.type;
      let attributes: Attributes = {};
      const end = (error: string): void => {
        const { runId, path, attempt } = call;
        const endedAt = Math.max(now(), startedAt);
        sink.end({
          ...{ traceId, spanId, parent, tracestate, name, kind: "client", startedAt, endedAt },
          ...{ error, events: [], links: [] },
          attributes: {
            "orchestrator.run.id": runId,
            "orchestrator.task.path": path,
            "orchestrator.task.attempt": attempt,
            ...attributes,
          },
        });
      };
      return {
        context: () => ({ traceparent: formatTraceparent({ traceId, spanId, sampled: true }), tracestate }),
        describe(called: string, more: Attributes) {
          name = called;
          attributes = { ...attributes, ...more };
        },
        another(error: string) {
          end(error);
          number += 1;
          spanId = callSpanIdOf(parent.spanId, number);
          startedAt = now();
          name = call.type;
          attributes = {};
        },
        end: (outcome: Outcome) => end(outcome.ok ? "" : outcome.error.type),
      };
    },
  };
}
