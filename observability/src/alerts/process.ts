/** The processes themselves, and what they spend. */
import { type AlertGroup, HOUR, JOB, MINUTE } from "../rule.ts";

const ONE = '{job="orchestrator",instance="a"}';

export const PROCESS: AlertGroup = {
  name: "orchestrator-processes",
  alerts: (time) => [
    {
      ...{ name: "EventLoopLag", severity: "ticket", for: time(10 * MINUTE), keepFiringFor: time(5 * MINUTE) },
      expr: `nodejs_eventloop_lag_p99_seconds{${JOB}} > 0.5`,
      summary: "The event loop of {{ $labels.instance }} stands still for long.",
      description:
        "One in a hundred turns of the event loop of {{ $labels.instance }} has taken longer than half a second for ten minutes.",
      impact: "Its calls and timers are late. After longer stops the process ends itself, and others take its shards.",
      dashboard: "orchestrator-runtime",
      fires: {
        series: { [`nodejs_eventloop_lag_p99_seconds${ONE}`]: "0.7x30" },
        after: "20m",
        labels: { job: "orchestrator", instance: "a" },
      },
      silent: [{ series: { [`nodejs_eventloop_lag_p99_seconds${ONE}`]: "0.4x30" }, after: "20m" }],
    },
    {
      ...{ name: "HighCpuUsage", severity: "ticket", for: time(15 * MINUTE), keepFiringFor: time(5 * MINUTE) },
      expr: `rate(process_cpu_seconds_total{${JOB}}[${time(5 * MINUTE)}]) > 0.9`,
      summary: "{{ $labels.instance }} uses a whole core.",
      description:
        "The process {{ $labels.instance }} has used more than nine tenths of a core for fifteen minutes. One event loop has no more.",
      impact: "Latency grows. More instances share the work.",
      dashboard: "orchestrator-runtime",
      fires: {
        series: { [`process_cpu_seconds_total${ONE}`]: "0+58x40" },
        after: "30m",
        labels: { job: "orchestrator", instance: "a" },
      },
      silent: [{ series: { [`process_cpu_seconds_total${ONE}`]: "0+50x40" }, after: "30m" }],
    },
    {
      ...{ name: "MemoryLeakSuspected", severity: "ticket", for: time(HOUR) },
      expr: `predict_linear(process_resident_memory_bytes{${JOB}}[${time(6 * HOUR)}], 86400) > 3 * process_resident_memory_bytes{${JOB}} and process_resident_memory_bytes{${JOB}} > 500e6`,
      summary: "The memory of {{ $labels.instance }} keeps growing.",
      description:
        "At the pace of the last six hours {{ $labels.instance }} will have three times its memory within a day.",
      impact: "The process will be killed for its memory; its runs go on elsewhere.",
      dashboard: "orchestrator-runtime",
      fires: {
        series: { [`process_resident_memory_bytes${ONE}`]: "400000000+8000000x150" },
        after: "8h",
        labels: { job: "orchestrator", instance: "a" },
      },
      silent: [
        { series: { [`process_resident_memory_bytes${ONE}`]: "900000000+400000x150" }, after: "8h" },
        { series: { [`process_resident_memory_bytes${ONE}`]: "100000000+1200000x150" }, after: "8h" },
      ],
    },
    {
      ...{ name: "BudgetsUsedUp", severity: "info", for: "0s", keepFiringFor: time(15 * MINUTE) },
      expr: `sum by (scope) (increase(orchestrator_budget_refusals_total{${JOB},result="held"}[${time(15 * MINUTE)}])) > 0`,
      summary: "A budget of a {{ $labels.scope }} is used up.",
      description: "Calls to models, or attempts, were not made because a budget of a {{ $labels.scope }} is used up.",
      impact: "The runs concerned are SUSPENDED until somebody raises the budget.",
      dashboard: "orchestrator-ai",
      fires: {
        series: {
          'orchestrator_budget_refusals_total{job="orchestrator",instance="a",scope="tenant",result="held"}':
            "0x5 1x20",
        },
        after: "10m",
        labels: { scope: "tenant" },
      },
      silent: [
        {
          series: {
            'orchestrator_budget_refusals_total{job="orchestrator",instance="a",scope="tenant",result="deferred"}':
              "0+1x20",
          },
          after: "10m",
        },
      ],
    },
    {
      ...{ name: "BreakersOpen", severity: "info", for: "0s", keepFiringFor: time(10 * MINUTE) },
      expr: `sum(increase(orchestrator_breaker_moves_total{${JOB},state="OPEN"}[${time(10 * MINUTE)}])) > 2`,
      summary: "Circuit breakers open again and again.",
      description:
        "Targets of tasks have failed so often that their breakers opened at least three times in ten minutes.",
      impact: "Tasks for these targets are deferred.",
      dashboard: "orchestrator-dependencies",
      fires: {
        series: { 'orchestrator_breaker_moves_total{job="orchestrator",instance="a",state="OPEN"}': "0x5 0+1x20" },
        after: "12m",
      },
      silent: [
        {
          series: { 'orchestrator_breaker_moves_total{job="orchestrator",instance="a",state="OPEN"}': "0x5 1x20" },
          after: "12m",
        },
      ],
    },
  ],
};
