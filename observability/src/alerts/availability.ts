/** Is the service there, and does it answer? */
import { type AlertGroup, JOB, MINUTE } from "../rule.ts";

export const AVAILABILITY: AlertGroup = {
  name: "orchestrator-availability",
  alerts: (time) => [
    {
      ...{ name: "OrchestratorDown", severity: "page", for: time(MINUTE), keepFiringFor: time(2 * MINUTE) },
      expr: `absent(up{${JOB}} == 1)`,
      summary: "No instance answers.",
      description: "Prometheus reaches no instance of the service, or knows none.",
      impact:
        "Nothing starts, nothing goes on. What was acknowledged is in PostgreSQL and goes on with the next instance.",
      dashboard: "orchestrator",
      fires: {
        series: { 'up{job="orchestrator",instance="a"}': "0x10", 'up{job="orchestrator",instance="b"}': "0x10" },
        after: "5m",
      },
      silent: [
        {
          series: { 'up{job="orchestrator",instance="a"}': "0x10", 'up{job="orchestrator",instance="b"}': "1x10" },
          after: "5m",
        },
      ],
    },
    {
      ...{ name: "OrchestratorInstanceDown", severity: "ticket", for: time(10 * MINUTE) },
      expr: `up{${JOB}} == 0`,
      summary: "Instance {{ $labels.instance }} does not answer.",
      description: "Prometheus has not reached {{ $labels.instance }} for ten minutes. Others have taken its shards.",
      impact: "None while others have room for its work.",
      dashboard: "orchestrator",
      fires: {
        series: { 'up{job="orchestrator",instance="a"}': "1x5 0x20" },
        after: "20m",
        labels: { job: "orchestrator", instance: "a" },
      },
      silent: [{ series: { 'up{job="orchestrator",instance="a"}': "1x10 0x5 1x10" }, after: "20m" }],
    },
    {
      ...{ name: "HighErrorRate", severity: "ticket", for: time(5 * MINUTE), keepFiringFor: time(5 * MINUTE) },
      expr: `sum by (service) (rate(http_requests_total{${JOB},status=~"5.."}[${time(5 * MINUTE)}])) / sum by (service) (rate(http_requests_total{${JOB}}[${time(5 * MINUTE)}])) > 0.05`,
      summary: "More than 5 % of HTTP requests fail.",
      description:
        "More than one in twenty HTTP requests has been answered with a status of 500 or above for five minutes.",
      impact: "Callers over REST, gRPC-Web, and Connect get errors.",
      dashboard: "orchestrator-api",
      fires: {
        series: {
          'http_requests_total{job="orchestrator",service="orchestrator",status="500"}': "0+6x30",
          'http_requests_total{job="orchestrator",service="orchestrator",status="200"}': "0+94x30",
        },
        after: "20m",
      },
      silent: [
        {
          series: {
            'http_requests_total{job="orchestrator",service="orchestrator",status="500"}': "0+4x30",
            'http_requests_total{job="orchestrator",service="orchestrator",status="200"}': "0+96x30",
          },
          after: "20m",
        },
        // A restart is no burst of errors.
        {
          series: {
            'http_requests_total{job="orchestrator",service="orchestrator",status="500"}': "90x5 0x25",
            'http_requests_total{job="orchestrator",service="orchestrator",status="200"}': "0+100x5 0+100x25",
          },
          after: "20m",
        },
      ],
    },
    {
      ...{ name: "HighLatency", severity: "ticket", for: time(10 * MINUTE), keepFiringFor: time(5 * MINUTE) },
      expr: `histogram_quantile(0.95, sum by (le) (rate(http_request_duration_seconds_bucket{${JOB}}[${time(5 * MINUTE)}]))) > 1`,
      summary: "HTTP requests are slow.",
      description:
        "One in twenty HTTP requests has taken longer than a second for ten minutes. Waiting calls count too.",
      impact: "Callers over REST, gRPC-Web, and Connect wait.",
      dashboard: "orchestrator-api",
      fires: {
        series: {
          'http_request_duration_seconds_bucket{job="orchestrator",le="1"}': "0+90x30",
          'http_request_duration_seconds_bucket{job="orchestrator",le="2.5"}': "0+100x30",
          'http_request_duration_seconds_bucket{job="orchestrator",le="+Inf"}': "0+100x30",
        },
        after: "25m",
      },
      silent: [
        {
          series: {
            'http_request_duration_seconds_bucket{job="orchestrator",le="1"}': "0+96x30",
            'http_request_duration_seconds_bucket{job="orchestrator",le="2.5"}': "0+100x30",
            'http_request_duration_seconds_bucket{job="orchestrator",le="+Inf"}': "0+100x30",
          },
          after: "25m",
        },
      ],
    },
  ],
};
