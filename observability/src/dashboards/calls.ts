/** The API: rates, errors, and durations of calls, over gRPC and over HTTP. */
import { QUICK_CALLS, SERVER_FAULTS, USER_CALLS } from "../slo.ts";
import type { DashboardPlan } from "./dashboard.ts";
import { figure, graph } from "./panel.ts";
import { perSecond, quantile, quantiles, ratio, sumOf, top } from "./query.ts";

const calls = perSecond("grpc_server_handled_total", { where: USER_CALLS });
const faults = perSecond("grpc_server_handled_total", { where: `${USER_CALLS},grpc_code=~"${SERVER_FAULTS}"` });
const quick = perSecond("grpc_server_handling_seconds_count", { where: QUICK_CALLS });
const inTime = perSecond("grpc_server_handling_seconds_bucket", { where: `${QUICK_CALLS},le="0.25"` });
const requests = perSecond("http_requests_total");
const failedRequests = perSecond("http_requests_total", { where: 'status=~"5.."' });

export const CALLS: DashboardPlan = {
  uid: "orchestrator-api",
  title: "Orchestrator / API",
  description:
    "Rates, errors, and durations of calls. Those over HTTP are calls of the contract too, and count in both.",
  rows: [
    {
      title: "At a glance",
      panels: [
        figure({
          ...{ title: "Calls", unit: "requests", queries: [{ expr: calls, legend: "calls" }] },
          description: "Calls of users a second; health checks and reflection are none.",
        }),
        figure({
          ...{ title: "Failing calls", unit: "part", limits: [0.001, 0.01], next: "orchestrator-slo" },
          description: "Part of the calls that end by a fault of the service. The objective allows 0.1 %.",
          queries: [{ expr: ratio(faults, calls), legend: "failing" }],
        }),
        figure({
          ...{ title: "Slow calls", unit: "part", limits: [0.01, 0.1], next: "orchestrator-slo" },
          description:
            "Part of the calls that do not wait by nature and took longer than 250 ms. The objective allows 1 %.",
          queries: [{ expr: ratio(`${quick} - ${inTime}`, quick), legend: "slow" }],
        }),
        figure({
          ...{ title: "HTTP requests", unit: "requests", queries: [{ expr: requests, legend: "requests" }] },
          description: "Requests over REST, gRPC-Web, and Connect a second.",
        }),
        figure({
          ...{ title: "Failing HTTP requests", unit: "part", limits: [0.01, 0.05] },
          description: "Part of the HTTP requests that are answered with a status of 500 or above.",
          queries: [{ expr: ratio(failedRequests, requests), legend: "failing" }],
        }),
        figure({
          ...{ title: "Open streams", unit: "count" },
          description: "Streams that clients watch runs, events, or tasks with.",
          queries: [{ expr: sumOf("orchestrator_watch_streams"), legend: "streams" }],
        }),
      ],
    },
    {
      title: "gRPC",
      panels: [
        graph({
          ...{ title: "Calls by method", unit: "requests" },
          description: "The ten methods that are called most. A sudden lead of one is a client in a loop.",
          queries: [
            {
              expr: top(perSecond("grpc_server_handled_total", { by: "grpc_method", where: USER_CALLS })),
              legend: "{{grpc_method}}",
            },
          ],
        }),
        graph({
          ...{ title: "Calls that are not OK, by code", unit: "requests" },
          description: "Codes of callers, such as NOT_FOUND, are normal; UNKNOWN, INTERNAL, and UNAVAILABLE are not.",
          queries: [
            {
              expr: perSecond("grpc_server_handled_total", { by: "grpc_code", where: `${USER_CALLS},grpc_code!="OK"` }),
              legend: "{{grpc_code}}",
            },
          ],
        }),
        graph({
          ...{ title: "Faults by method", unit: "requests" },
          description: "Calls that end by a fault of the service. Normal: none.",
          queries: [
            {
              expr: perSecond("grpc_server_handled_total", {
                by: "grpc_method, grpc_code",
                where: `${USER_CALLS},grpc_code=~"${SERVER_FAULTS}"`,
              }),
              legend: "{{grpc_method}} {{grpc_code}}",
            },
          ],
        }),
        graph({
          ...{ title: "Latency", unit: "seconds", limits: [0.25, 1] },
          description: "Time of calls that do not wait by nature, from decoding to the answer.",
          queries: quantiles("grpc_server_handling_seconds", { where: QUICK_CALLS }),
        }),
        graph({
          ...{ title: "Latency by method, p95", unit: "seconds" },
          description: "The ten slowest methods, those that wait by nature among them.",
          queries: [
            {
              expr: top(
                quantile(0.95, "grpc_server_handling_seconds", {
                  by: "grpc_method",
                  where: `grpc_type="unary",${USER_CALLS}`,
                }),
              ),
              legend: "{{grpc_method}}",
            },
          ],
        }),
        graph({
          ...{ title: "Messages", unit: "events" },
          description: "Request and response messages, those of streams included.",
          queries: [
            {
              expr: perSecond("grpc_server_msg_received_total", { by: "grpc_type" }),
              legend: "received, {{grpc_type}}",
            },
            { expr: perSecond("grpc_server_msg_sent_total", { by: "grpc_type" }), legend: "sent, {{grpc_type}}" },
          ],
        }),
        graph({
          ...{ title: "Calls that begin and end", unit: "requests" },
          description: "If fewer end than begin for long, calls pile up.",
          queries: [
            { expr: perSecond("grpc_server_started_total", { where: USER_CALLS }), legend: "begin" },
            { expr: calls, legend: "end" },
          ],
        }),
        graph({
          ...{ title: "Events that wait for readers", unit: "count" },
          description: "In watches, by instance. A watch that holds 10,000 ends: its reader is too slow.",
          queries: [{ expr: sumOf("orchestrator_watch_buffered_events", { by: "instance" }), legend: "{{instance}}" }],
        }),
        graph({
          ...{ title: "Bytes that wait for readers", unit: "bytes" },
          description: "Sent on streams and not taken, by instance. Normal: about none.",
          queries: [{ expr: sumOf("orchestrator_watch_buffer_bytes", { by: "instance" }), legend: "{{instance}}" }],
        }),
        graph({
          ...{ title: "Streams by instance", unit: "count" },
          description: "Open streams. After a restart of one instance its clients are on the others.",
          queries: [{ expr: sumOf("orchestrator_watch_streams", { by: "instance" }), legend: "{{instance}}" }],
        }),
      ],
    },
    {
      title: "HTTP",
      panels: [
        graph({
          ...{ title: "Requests by status", unit: "requests" },
          description: "Statuses of 500 and above are faults of the service.",
          queries: [{ expr: perSecond("http_requests_total", { by: "status" }), legend: "{{status}}" }],
        }),
        graph({
          ...{ title: "Requests by route", unit: "requests" },
          description: "The ten routes that are called most.",
          queries: [
            { expr: top(perSecond("http_requests_total", { by: "method, route" })), legend: "{{method}} {{route}}" },
          ],
        }),
        graph({
          ...{ title: "Latency by route, p95", unit: "seconds" },
          description: "The ten slowest routes. Those that wait for a run are as long as they wait.",
          queries: [
            {
              expr: top(quantile(0.95, "http_request_duration_seconds", { by: "method, route" })),
              legend: "{{method}} {{route}}",
            },
          ],
        }),
        graph({
          ...{ title: "Paths of the merged goal service", unit: "requests" },
          description: "Requests to the paths that clients of the goal service know.",
          queries: [
            { expr: perSecond("octollm_orchestrator_api_requests_total", { by: "endpoint" }), legend: "{{endpoint}}" },
          ],
        }),
        graph({
          ...{ title: "Errors of goals", unit: "events" },
          description: "Errors of submitting and reading goals, by type. Refusals by the gate are normal.",
          queries: [{ expr: perSecond("octollm_orchestrator_errors_total", { by: "type" }), legend: "{{type}}" }],
        }),
      ],
    },
  ],
};
