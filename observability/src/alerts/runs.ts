/** Do runs go on? */
import { type AlertGroup, DAY, HOUR, JOB, MINUTE } from "../rule.ts";

const ONE = '{job="orchestrator",instance="a"}';

const started = (begins: "now" | "later"): string =>
  `orchestrator_runs_started_total{job="orchestrator",instance="a",begins="${begins}"}`;

const ended = (status: string): Readonly<Record<string, string>> => ({
  [`orchestrator_flow_runs_processed_total{job="orchestrator",instance="a",status="${status}"}`]: "0+1x40",
});

/** Runs are started; no task begins, and none ends. */
const STARTED = { [started("now")]: "0+5x40" };
const SCHEDULED = { [`orchestrator_tasks_scheduled_total${ONE}`]: "50x40" };
const ENDED = {
  'orchestrator_flow_runs_processed_total{job="orchestrator",instance="a",status="COMPLETED"}': "50x40",
};

export const RUNS: AlertGroup = {
  name: "orchestrator-runs",
  alerts: (time) => [
    {
      ...{ name: "RunsOverdue", severity: "page", for: time(3 * MINUTE), keepFiringFor: time(5 * MINUTE) },
      expr: `max(orchestrator_overdue_seconds{${JOB}}) > ${time.seconds(120)}`,
      summary: "Runs have something to do, and nobody does it.",
      description:
        "Something that was due two minutes ago (a retry, a timeout, a wait) has not happened. Owners look for what is due every 10 s.",
      impact: "These runs stand still. Nothing of them is lost.",
      dashboard: "orchestrator-recovery",
      fires: { series: { [`orchestrator_overdue_seconds${ONE}`]: "0+60x20" }, after: "10m" },
      silent: [{ series: { [`orchestrator_overdue_seconds${ONE}`]: "110x20" }, after: "10m" }],
    },
    {
      ...{ name: "RunsNotProgressing", severity: "page", for: time(10 * MINUTE), keepFiringFor: time(5 * MINUTE) },
      expr: `sum(increase(orchestrator_runs_started_total{${JOB},begins="now"}[${time(10 * MINUTE)}])) > 0 and sum(increase(orchestrator_tasks_scheduled_total{${JOB}}[${time(10 * MINUTE)}])) == 0 unless sum(increase(orchestrator_flow_runs_processed_total{${JOB},status=~"COMPLETED|FAILED"}[${time(10 * MINUTE)}])) > 0`,
      summary: "Runs are started, and no task begins.",
      description:
        "Starts were acknowledged in the last ten minutes, and since then no task of any run has begun, and no run has completed or failed. Canaries do not count, nor do starts of goals and of runs with a delay.",
      impact: "New runs do nothing. They go on as soon as the cause is gone.",
      dashboard: "orchestrator-runs",
      fires: { series: { ...STARTED, ...SCHEDULED, ...ENDED }, after: "30m" },
      alsoFires: [
        // Nothing has ended since these instances started, and canaries complete.
        {
          series: {
            ...{ ...STARTED, ...SCHEDULED },
            'orchestrator_canary_runs_total{job="orchestrator",instance="a",outcome="success"}': "0+1x40",
          },
          after: "30m",
        },
        // Runs that do not begin end all the same: by their timeout, and by whoever gives them up.
        { series: { ...STARTED, ...SCHEDULED, ...ended("TIMED_OUT"), ...ended("CANCELED") }, after: "30m" },
      ],
      silent: [
        { series: { ...STARTED, ...ENDED, [`orchestrator_tasks_scheduled_total${ONE}`]: "0+1x40" }, after: "30m" },
        { series: { ...SCHEDULED, ...ENDED, [started("now")]: "5x40" }, after: "30m" },
        // Goals, and runs with a delay.
        { series: { ...SCHEDULED, ...ENDED, [started("now")]: "5x40", [started("later")]: "0+5x40" }, after: "30m" },
        // Runs without a task that begins: all of them are skipped, or the first one cannot be evaluated.
        { series: { ...STARTED, ...SCHEDULED, ...ended("COMPLETED") }, after: "30m" },
        { series: { ...STARTED, ...SCHEDULED, ...ended("FAILED") }, after: "30m" },
      ],
    },
    {
      ...{ name: "QuarantineGrowing", severity: "page", for: time(MINUTE), keepFiringFor: time(30 * MINUTE) },
      expr: `sum(increase(orchestrator_quarantined_runs_total{${JOB}}[${time(15 * MINUTE)}])) > 4`,
      summary: "Several runs were put into quarantine.",
      description:
        "At least five runs were put into quarantine within fifteen minutes: they killed or blocked processes, or their rows cannot be read.",
      impact:
        "These runs stand still until somebody releases them. Many at once point to damaged rows or to a flow that kills processes.",
      dashboard: "orchestrator-recovery",
      fires: { series: { [`orchestrator_quarantined_runs_total${ONE}`]: "0x5 0+2x10" }, after: "12m" },
      silent: [{ series: { [`orchestrator_quarantined_runs_total${ONE}`]: "0x5 3x20" }, after: "12m" }],
    },
    {
      ...{ name: "RunsQuarantined", severity: "ticket", for: time(5 * MINUTE) },
      expr: `max(orchestrator_open_runs{${JOB},state="QUARANTINED"}) > 0`,
      summary: "A run is in quarantine.",
      description:
        "A run stopped the processes that worked on it, or cannot be read. It stays there until somebody decides.",
      impact: "This run stands still.",
      dashboard: "orchestrator-recovery",
      fires: {
        series: { 'orchestrator_open_runs{job="orchestrator",instance="a",state="QUARANTINED"}': "1x20" },
        after: "10m",
      },
      silent: [
        {
          series: { 'orchestrator_open_runs{job="orchestrator",instance="a",state="QUARANTINED"}': "0x20" },
          after: "10m",
        },
      ],
    },
    {
      ...{ name: "RunsSuspended", severity: "info", for: time(10 * MINUTE) },
      expr: `max(orchestrator_open_runs{${JOB},state="SUSPENDED"}) > 0`,
      summary: "Runs wait for a larger budget.",
      description:
        "Runs have used up a budget, or reached the limit of their history. They wait until somebody raises it.",
      impact: "These runs stand still.",
      dashboard: "orchestrator-ai",
      fires: {
        series: { 'orchestrator_open_runs{job="orchestrator",instance="a",state="SUSPENDED"}': "3x20" },
        after: "15m",
      },
      silent: [
        {
          series: { 'orchestrator_open_runs{job="orchestrator",instance="a",state="SUSPENDED"}': "0x20" },
          after: "15m",
        },
      ],
    },
    {
      ...{ name: "DeadLettersOld", severity: "ticket", for: time(10 * MINUTE) },
      expr: `max(orchestrator_dead_letter_oldest_seconds{${JOB}}) > ${DAY}`,
      summary: "A dead letter has been waiting for a day.",
      description: "A task used up its attempts more than a day ago, and nobody has retried or dismissed it.",
      impact: "Its run has failed, and what it should have done is not done.",
      dashboard: "orchestrator-runs",
      fires: { series: { [`orchestrator_dead_letter_oldest_seconds${ONE}`]: "86401x20" }, after: "15m" },
      silent: [{ series: { [`orchestrator_dead_letter_oldest_seconds${ONE}`]: "86300x20" }, after: "15m" }],
    },
    {
      ...{ name: "QueueUnserved", severity: "ticket", for: time(5 * MINUTE), keepFiringFor: time(5 * MINUTE) },
      expr: `max by (queue) (orchestrator_queue_unserved_tasks{${JOB}}) > 0`,
      summary: "Nobody serves the queue {{ $labels.queue }}.",
      description: "Tasks wait in {{ $labels.queue }}, and no connected worker can do them.",
      impact: "Runs with these tasks stand still.",
      dashboard: "orchestrator-workers",
      fires: {
        series: { 'orchestrator_queue_unserved_tasks{job="orchestrator",instance="a",queue="mail"}': "2x20" },
        after: "10m",
        labels: { queue: "mail" },
      },
      silent: [
        {
          series: { 'orchestrator_queue_unserved_tasks{job="orchestrator",instance="a",queue="mail"}': "0x20" },
          after: "10m",
        },
      ],
    },
    {
      ...{ name: "QueueSlow", severity: "ticket", for: time(15 * MINUTE) },
      expr: `max by (queue) (orchestrator_queue_oldest_seconds{${JOB}}) > ${HOUR}`,
      summary: "Tasks wait for an hour in the queue {{ $labels.queue }}.",
      description: "The oldest task in {{ $labels.queue }} has waited for a worker for more than an hour.",
      impact: "Runs with these tasks are late. More workers, or more slots, end it.",
      dashboard: "orchestrator-workers",
      fires: {
        series: { 'orchestrator_queue_oldest_seconds{job="orchestrator",instance="a",queue="mail"}': "4000x40" },
        after: "30m",
        labels: { queue: "mail" },
      },
      silent: [
        {
          series: { 'orchestrator_queue_oldest_seconds{job="orchestrator",instance="a",queue="mail"}': "3500x40" },
          after: "30m",
        },
      ],
    },
  ],
};
