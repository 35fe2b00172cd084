/** Metrics of calls and HTTP requests, on the metrics of the telemetry layer. */
import type { CounterSeries, HistogramSeries, Metrics } from "../telemetry/metrics/metrics.ts";
import type { Call } from "./calls/call.ts";
import type { ServedMethod } from "./calls/methods.ts";
import type { CallMetrics, MethodMetrics } from "./calls/pipeline.ts";
import type { HttpMetrics } from "./http/server.ts";

/** Codes with series from the start. Alerts divide by them or count them, so the first failure must be an increase. */
const CODES = ["OK", "UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"];

/** Label `service` of HTTP metrics. */
const SERVICE = "orchestrator";

/** Counts calls by method, like the classic gRPC metrics. A call that is sampled is the exemplar of its bucket. */
export function createCallMetrics(metrics: Metrics): CallMetrics {
  const open = new Set<Call>();
  const streams = metrics.gauge("orchestrator_watch_streams");
  const unread = metrics.gauge("orchestrator_watch_buffer_bytes");
  metrics.beforeRead(async () => {
    streams.set(open.size);
    unread.set([...open].reduce((sum, call) => sum + (call.unreadBytes?.() ?? 0), 0));
  });
  return {
    forMethod(method: ServedMethod): MethodMetrics {
      const labels = [method.stream === null ? "unary" : "server_stream", method.service, method.desc.name];
      const startedCount = metrics.counter("grpc_server_started_total", ...labels);
      const received = metrics.counter("grpc_server_msg_received_total", ...labels);
      const sentCount = metrics.counter("grpc_server_msg_sent_total", ...labels);
      const seconds = metrics.histogram("grpc_server_handling_seconds", ...labels);
      const handled = new Map(
        CODES.map((code) => [code, metrics.counter("grpc_server_handled_total", ...labels, code)]),
      );
      const isStream = method.stream !== null;
      return {
        started(call) {
          startedCount.add();
          received.add();
          if (isStream) open.add(call);
        },
        sent: () => sentCount.add(),
        finished(code, duration, call) {
          let series = handled.get(code);
          if (series === undefined) {
            series = metrics.counter("grpc_server_handled_total", ...labels, code);
            handled.set(code, series);
          }
          series.add();
          seconds.observe(duration, call.span?.traceId);
          if (isStream) open.delete(call);
          else if (code === "OK") sentCount.add();
        },
      };
    },
  };
}

/** Counts HTTP requests by route; unmatched requests are `other`. */
export function createHttpMetrics(metrics: Metrics): HttpMetrics {
  const made = new Map<string, { readonly count: CounterSeries; readonly seconds: HistogramSeries }>();
  return {
    requested(method, route, status, seconds, traceId) {
      const verb = KNOWN_METHODS.has(method) ? method : "other";
      const key = `${verb} ${route} ${status}`;
      let series = made.get(key);
      if (series === undefined) {
        series = {
          count: metrics.counter("http_requests_total", SERVICE, verb, route, String(status)),
          seconds: metrics.histogram("http_request_duration_seconds", SERVICE, verb, route),
        };
        if (made.size < 2_000) made.set(key, series);
      }
      series.count.add();
      series.seconds.observe(seconds, traceId);
      countForGoals(metrics, route, status);
    },
  };
}

/** Names of the merged goal service for its routes. */
const ENDPOINTS: Readonly<Record<string, string>> = {
  "/submit": "/submit",
  "/tasks/:task_id": "/tasks/{task_id}",
  "/health": "/health",
  "/ready": "/ready",
  "/metrics": "/metrics",
  "/": "/",
};

const ERROR_TYPES: Readonly<Record<number, string>> = {
  403: "safety_check_failed",
  404: "not_found",
  422: "validation",
  503: "unavailable",
};

function countForGoals(metrics: Metrics, route: string, status: number): void {
  const endpoint = ENDPOINTS[route];
  if (endpoint === undefined) return;
  metrics.counter("octollm_orchestrator_api_requests_total", endpoint).add();
  if (status < 400 || (endpoint !== "/submit" && endpoint !== "/tasks/{task_id}")) return;
  const type = ERROR_TYPES[status] ?? (status < 500 ? "bad_request" : "internal");
  metrics.counter("octollm_orchestrator_errors_total", type).add();
}

const KNOWN_METHODS = new Set(["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]);
