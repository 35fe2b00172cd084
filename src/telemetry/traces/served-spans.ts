/**
 * Spans of the calls that the service answers: each is a span in the trace of its caller. A call that names no trace
 * makes none; the run that it starts has its own.
 */
import { randomBytes } from "node:crypto";
import {
  formatTraceparent,
  parseTraceparent,
  readTraceContext,
  type TraceContext,
} from "../../base/traces/trace-context.ts";
import type { Sampler } from "./sampler.ts";
import type { Attributes, SpanSink } from "./span.ts";

/** Statuses for which the service is to blame, as the conventions of OpenTelemetry have it. */
const FAULTS: ReadonlySet<string> = new Set([
  ...["UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"],
]);

/** A call, as its span tells it. */
export interface ServedCall {
  /** `orchestrator.v1.RunService/StartRun`. */
  readonly method: string;
  readonly protocol: "grpc" | "grpc-web" | "connect" | "rest";
  /** A header by its name in small letters; empty: there is none. */
  header(name: string): string;
}

/** Creates the spans of calls. `now` gives milliseconds since the epoch. */
export function createServedSpans(sink: SpanSink, sampler: Sampler, now: () => number) {
  return {
    begin({ method, protocol, header }: ServedCall) {
      const caller = readTraceContext(header);
      const parent = caller === null ? null : parseTraceparent(caller.traceparent);
      if (caller === null || parent === null || !sampler(parent.traceId, caller.traceparent)) return null;
      const spanId = randomBytes(8).toString("hex");
      const { traceId } = parent;
      const { tracestate } = caller;
      const startedAt = now();
      const context: TraceContext = { traceparent: formatTraceparent({ traceId, spanId, sampled: true }), tracestate };
      return {
        ...{ context, traceId },
        /** `code` is the name of the gRPC status; `runId` the run that it was about, if that is known. */
        end(code: string, runId: string | undefined) {
          const [service = "", name = ""] = method.split("/");
          const attributes: Attributes = {
            "rpc.system": protocol === "connect" ? "connect_rpc" : "grpc",
            "rpc.service": service,
            "rpc.method": name,
            "rpc.response.status_code": code,
            "orchestrator.call.protocol": protocol,
            "orchestrator.run.id": runId,
          };
          sink.end({
            ...{ traceId, spanId, parent, tracestate, name: method, kind: "server", attributes },
            ...{ startedAt, endedAt: Math.max(now(), startedAt), error: FAULTS.has(code) ? code : "" },
            ...{ events: [], links: [] },
          });
        },
      };
    },
  };
}
