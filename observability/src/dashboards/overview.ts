/** Are users hurt, since when, and where to look next. */
import { QUICK_CALLS, SERVER_FAULTS, USER_CALLS } from "../slo.ts";
import type { DashboardPlan } from "./dashboard.ts";
import { figure, graph, states } from "./panel.ts";
import {
  CPU,
  inRange,
  MEMORY,
  maxOf,
  minOf,
  ofDatabase,
  perSecond,
  quantile,
  quantiles,
  ratio,
  sumOf,
} from "./query.ts";

const calls = perSecond("grpc_server_handled_total", { where: USER_CALLS });
const faults = perSecond("grpc_server_handled_total", { where: `${USER_CALLS},grpc_code=~"${SERVER_FAULTS}"` });

export const OVERVIEW: DashboardPlan = {
  uid: "orchestrator",
  title: "Orchestrator",
  description:
    "Are users hurt, since when, and where to look next. Each figure leads to the dashboard that shows more.",
  rows: [
    {
      title: "Are users hurt?",
      panels: [
        figure({
          title: "Instances up",
          description: "Instances that Prometheus reaches. Red: nothing starts and nothing goes on.",
          unit: "count",
          queries: [{ expr: sumOf("up"), legend: "up" }],
          limits: [1, 0.5],
          next: "orchestrator-runtime",
        }),
        figure({
          title: "Failing calls",
          description: "Part of the calls of users that end by a fault of the service. The objective allows 0.1 %.",
          unit: "part",
          queries: [{ expr: ratio(faults, calls), legend: "failing" }],
          limits: [0.001, 0.01],
          next: "orchestrator-api",
        }),
        figure({
          title: "Call latency, p99",
          description:
            "All but one in a hundred of the calls that do not wait by nature are faster. Normal: below 250 ms.",
          unit: "seconds",
          queries: [{ expr: quantile(0.99, "grpc_server_handling_seconds", { where: QUICK_CALLS }), legend: "p99" }],
          limits: [0.25, 1],
          next: "orchestrator-api",
        }),
        figure({
          title: "Most overdue run",
          description: "How long the most overdue run has waited for something that is due. Normal: 0.",
          unit: "duration",
          queries: [{ expr: ofDatabase("orchestrator_overdue_seconds"), legend: "overdue" }],
          limits: [30, 120],
          next: "orchestrator-recovery",
        }),
        figure({
          title: "Dead letters",
          description: "Tasks that failed for good and wait for an operator. Each is a run that does not go on.",
          unit: "count",
          queries: [{ expr: ofDatabase("orchestrator_dead_letter_queue_size"), legend: "dead letters" }],
          limits: [1, 10],
          next: "orchestrator-runs",
        }),
        figure({
          title: "Error budget left",
          description: "Of the objective that has least of it, over 30 days. Below 0 the objective is missed.",
          unit: "part",
          queries: [{ expr: "min(slo:error_budget_left:ratio)", legend: "left" }],
          limits: [0.5, 0],
          next: "orchestrator-slo",
        }),
      ],
    },
    {
      title: "Since when?",
      panels: [
        graph({
          title: "Calls",
          description: "Calls of users a second, and those of them that end by a fault of the service.",
          unit: "requests",
          queries: [
            { expr: calls, legend: "all" },
            { expr: faults, legend: "faults" },
          ],
          next: "orchestrator-api",
        }),
        graph({
          title: "HTTP requests",
          description: "Requests over REST, gRPC-Web, and Connect a second, by status.",
          unit: "requests",
          queries: [{ expr: perSecond("http_requests_total", { by: "status" }), legend: "{{status}}" }],
          next: "orchestrator-api",
        }),
        graph({
          title: "HTTP latency",
          description: "Time of HTTP requests. Calls that wait for a run count too, and are as long as they wait.",
          unit: "seconds",
          queries: quantiles("http_request_duration_seconds"),
          next: "orchestrator-api",
        }),
        graph({
          title: "Runs",
          description: "Runs a second that start, and that end, by outcome. Normal: as many end as start.",
          unit: "events",
          queries: [
            { expr: perSecond("orchestrator_runs_started_total"), legend: "started" },
            { expr: perSecond("orchestrator_flow_runs_processed_total", { by: "status" }), legend: "{{status}}" },
          ],
          next: "orchestrator-runs",
        }),
        graph(
          {
            title: "Open runs",
            description:
              "Runs that have not ended, by state. A growing pile of RUNNING means that work does not get done.",
            unit: "count",
            queries: [{ expr: ofDatabase("orchestrator_open_runs", { by: "state" }), legend: "{{state}}" }],
            next: "orchestrator-runs",
          },
          { stacked: true },
        ),
        graph({
          title: "Overdue runs",
          description: "Runs with something that has been due for 30 s or longer. Normal: none.",
          unit: "count",
          queries: [{ expr: ofDatabase("orchestrator_overdue_runs"), legend: "overdue" }],
          next: "orchestrator-recovery",
        }),
      ],
    },
    {
      title: "Where to look next?",
      panels: [
        figure({
          title: "Oldest waiting task",
          description: "How long the oldest task has waited for a worker.",
          unit: "duration",
          queries: [{ expr: ofDatabase("orchestrator_queue_oldest_seconds"), legend: "oldest" }],
          limits: [60, 3600],
          next: "orchestrator-workers",
        }),
        figure({
          title: "Oldest message",
          description: "How long the oldest message has waited to leave: for topics, streams, or webhooks.",
          unit: "duration",
          queries: [{ expr: ofDatabase("orchestrator_outbox_oldest_seconds"), legend: "oldest" }],
          limits: [30, 300],
          next: "orchestrator-events",
        }),
        figure({
          title: "Commit time, p95",
          description: "Nineteen of twenty statements of the commit pipeline are faster.",
          unit: "seconds",
          queries: [{ expr: quantile(0.95, "orchestrator_commit_seconds"), legend: "p95" }],
          limits: [0.1, 0.5],
          next: "orchestrator-recovery",
        }),
        figure({
          title: "Event loop lag, p99",
          description: "Of the worst instance. Calls and timers are late by as much.",
          unit: "seconds",
          queries: [{ expr: maxOf("nodejs_eventloop_lag_p99_seconds"), legend: "lag" }],
          limits: [0.1, 0.5],
          next: "orchestrator-runtime",
        }),
        figure({
          title: "Runs in quarantine",
          description: "Runs that are held because they cannot be read, or because owners died in them.",
          unit: "count",
          queries: [
            { expr: ofDatabase("orchestrator_open_runs", { where: 'state="QUARANTINED"' }), legend: "quarantined" },
          ],
          limits: [1, 5],
          next: "orchestrator-recovery",
        }),
        figure({
          title: "Refused for a budget",
          description: "Calls to models and attempts that were not made for want of a budget, in the time shown.",
          unit: "count",
          queries: [{ expr: inRange("orchestrator_budget_refusals_total"), legend: "refused" }],
          limits: [1, 100],
          next: "orchestrator-ai",
        }),
        states(
          {
            title: "Connections",
            description: "Whether every instance reaches what the service is connected to.",
            unit: "count",
            queries: [{ expr: minOf("orchestrator_connected", { by: "to" }), legend: "{{to}}" }],
            next: "orchestrator-dependencies",
            span: 8,
          },
          { 1: "reached", 0: "not reached" },
        ),
        graph({
          title: "CPU",
          description:
            "Cores in use, by container, or by process where containers are not measured. An event loop has one.",
          unit: "part",
          queries: [CPU],
          next: "orchestrator-runtime",
        }),
        graph({
          title: "Memory",
          description: "Memory in use, by container, or by process where containers are not measured.",
          unit: "bytes",
          queries: [MEMORY],
          next: "orchestrator-runtime",
        }),
      ],
    },
  ],
};
