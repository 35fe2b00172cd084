/** Rules that documents of merged systems fix, with their names, conditions, and severities. */
import { type AlertGroup, JOB, MINUTE } from "../rule.ts";

const RETRIES = 'orchestrator_retry_attempts_total{job="orchestrator",instance="a",task="t",handler="h"}';
const LETTERS = 'orchestrator_dead_letter_queue_size{job="orchestrator",instance="a"}';

export const SEEDS: AlertGroup = {
  name: "orchestrator",
  alerts: (time) => [
    {
      ...{ name: "HighRetryRate", severity: "warning", for: time(2 * MINUTE) },
      expr: `rate(orchestrator_retry_attempts_total{${JOB}}[${time(5 * MINUTE)}]) > 0.1`,
      summary: "The task {{ $labels.task }} is retried often.",
      description:
        "Attempts of {{ $labels.task }} by {{ $labels.handler }} have failed and were retried more than six times a minute.",
      impact: "Its runs are late, and dead letters follow when the attempts are used up.",
      dashboard: "orchestrator-runs",
      fires: {
        series: { [RETRIES]: "0+10x20" },
        after: "10m",
        labels: { job: "orchestrator", instance: "a", task: "t", handler: "h" },
      },
      silent: [{ series: { [RETRIES]: "0+5x20" }, after: "10m" }],
    },
    {
      ...{ name: "DeadLetterQueueGrowing", severity: "critical", for: time(MINUTE) },
      expr: `increase(orchestrator_dead_letter_queue_size{${JOB}}[${time(5 * MINUTE)}]) > 10`,
      summary: "Dead letters pile up.",
      description: "More than ten tasks have used up their attempts within five minutes.",
      impact: "Their runs fail.",
      dashboard: "orchestrator-runs",
      fires: { series: { [LETTERS]: "0+5x20" }, after: "10m", labels: { job: "orchestrator", instance: "a" } },
      silent: [
        { series: { [LETTERS]: "0+1x20" }, after: "10m" },
        // Another instance counts them from now on: its first number is no growth.
        {
          series: { 'orchestrator_dead_letter_queue_size{job="orchestrator",instance="b"}': "_x8 500x12" },
          after: "10m",
        },
      ],
    },
  ],
};
