/** Ownership, takeovers, timers, and the commit pipeline under all of them. */
import type { DashboardPlan } from "./dashboard.ts";
import { figure, graph } from "./panel.ts";
import { inRange, maxOf, minOf, ofDatabase, perSecond, quantile, quantiles, sumOf } from "./query.ts";

const statements = perSecond("orchestrator_commits_total", { where: 'result="written"' });

export const RECOVERY: DashboardPlan = {
  uid: "orchestrator-recovery",
  title: "Orchestrator / Recovery, timers, commits",
  description: "Whether every run has an owner, whether what is due happens, and how fast the journal is written.",
  rows: [
    {
      title: "At a glance",
      panels: [
        figure({
          ...{ title: "Most overdue run", unit: "duration", limits: [30, 120] },
          description: "How long the most overdue run has waited for something that is due. Normal: 0.",
          queries: [{ expr: ofDatabase("orchestrator_overdue_seconds"), legend: "overdue" }],
        }),
        figure({
          ...{ title: "Runs in quarantine", unit: "count", limits: [1, 5] },
          description: "Runs that are held because they cannot be read, or because owners died in them.",
          queries: [
            { expr: ofDatabase("orchestrator_open_runs", { where: 'state="QUARANTINED"' }), legend: "quarantined" },
          ],
        }),
        figure({
          ...{ title: "Oldest sign of life", unit: "seconds", limits: [10, 60] },
          description: "Since the instance that is worst off extended its life. After 60 s an alert fires.",
          queries: [{ expr: `time() - ${minOf("orchestrator_lease_renewed_timestamp_seconds")}`, legend: "age" }],
        }),
        figure({
          ...{ title: "Lives expired", unit: "count", limits: [1, 3] },
          description: "Times in the time shown that an instance was too late to extend its life.",
          queries: [{ expr: inRange("orchestrator_lease_expirations_total"), legend: "expired" }],
        }),
        figure({
          ...{ title: "Owned shards", unit: "count" },
          description: "All shards together, while every instance is chosen. Fewer than usual: some have no owner.",
          queries: [{ expr: sumOf("orchestrator_owned_shards"), legend: "shards" }],
        }),
        figure({
          ...{ title: "Timer lateness, p99", unit: "seconds", limits: [0.5, 1] },
          description:
            "All but one in a hundred of retries, timeouts, and waits are less late. The objective allows a second.",
          queries: [{ expr: quantile(0.99, "orchestrator_timer_lateness_seconds"), legend: "p99" }],
          next: "orchestrator-slo",
        }),
      ],
    },
    {
      title: "Ownership",
      panels: [
        graph(
          {
            ...{ title: "Shards by instance", unit: "count" },
            description: "Normal: about the same for each. A dip and a rise elsewhere are a takeover.",
            queries: [{ expr: sumOf("orchestrator_owned_shards", { by: "instance" }), legend: "{{instance}}" }],
          },
          { stacked: true },
        ),
        graph({
          ...{ title: "Shards taken", unit: "events" },
          description: "By how the last owner left. Release is a deploy, death is not.",
          queries: [{ expr: perSecond("orchestrator_shards_taken_total", { by: "after" }), legend: "{{after}}" }],
        }),
        graph({
          ...{ title: "Age of signs of life", unit: "seconds", limits: [10, 60] },
          description: "Since each instance extended its life. Others take its shards when it expires.",
          queries: [
            {
              expr: `time() - ${maxOf("orchestrator_lease_renewed_timestamp_seconds", { by: "instance" })}`,
              legend: "{{instance}}",
            },
          ],
        }),
        graph({
          ...{ title: "Lives expired and writes refused", unit: "events" },
          description: "A refused write had lost its shard: it did no harm. Many of them are two instances that fight.",
          queries: [
            { expr: perSecond("orchestrator_lease_expirations_total"), legend: "expired" },
            { expr: perSecond("orchestrator_fenced_writes_total"), legend: "refused" },
          ],
        }),
      ],
    },
    {
      title: "Takeovers",
      panels: [
        graph({
          ...{ title: "Recovery lag", unit: "seconds", limits: [10, 30] },
          description:
            "From the end of the life of an owner that died to when its shard was taken. The objective allows 30 s.",
          queries: quantiles("orchestrator_recovery_lag_seconds"),
        }),
        graph({
          ...{ title: "Time of takeovers", unit: "seconds" },
          description: "From taking shards to the recovery of their last run.",
          queries: quantiles("orchestrator_takeover_seconds"),
        }),
        graph({
          ...{ title: "Runs adopted", unit: "events" },
          description: "Runs under way that are recovered with their shard.",
          queries: [{ expr: perSecond("orchestrator_adopted_runs_total"), legend: "adopted" }],
        }),
        graph({
          ...{ title: "Runs into quarantine", unit: "events" },
          description: "Runs that cannot be read, and those in which owners died (KILLED) or stood still (BLOCKED).",
          queries: [
            { expr: perSecond("orchestrator_quarantined_runs_total"), legend: "all" },
            { expr: perSecond("orchestrator_runs_blamed_total", { by: "reason" }), legend: "{{reason}}" },
            { expr: perSecond("orchestrator_quarantined_operations_total"), legend: "operations" },
          ],
        }),
      ],
    },
    {
      title: "What is due",
      panels: [
        graph({
          ...{ title: "Overdue runs", unit: "count" },
          description: "Runs with something that has been due for 30 s or longer. Normal: none.",
          queries: [{ expr: ofDatabase("orchestrator_overdue_runs"), legend: "overdue" }],
        }),
        graph({
          ...{ title: "Timer lateness", unit: "seconds", limits: [0.5, 1] },
          description: "From when something was due to when it happened, by the clock of the database.",
          queries: quantiles("orchestrator_timer_lateness_seconds"),
        }),
        graph({
          ...{ title: "Timers", unit: "events" },
          description: "Retries, timeouts, and waits that happen in a second.",
          queries: [{ expr: perSecond("orchestrator_timer_lateness_seconds_count"), legend: "timers" }],
        }),
      ],
    },
    {
      title: "Canaries",
      panels: [
        figure({
          ...{ title: "Acknowledged runs lost", unit: "count", limits: [1, 1] },
          description: "Canaries of the last hour that were acknowledged and are gone. Normal: 0, always.",
          queries: [{ expr: ofDatabase("orchestrator_canary_lost_runs"), legend: "lost" }],
        }),
        figure({
          ...{ title: "Last canary that completed", unit: "duration", limits: [120, 180] },
          description:
            "How long ago a run of the service itself completed. Normal: less than its interval, five minutes unless set.",
          queries: [{ expr: `time() - ${maxOf("orchestrator_canary_last_success_timestamp_seconds")}`, legend: "age" }],
        }),
        graph({
          ...{ title: "Canaries by outcome", unit: "events" },
          description:
            "Runs of the service itself. Late: not over after 10 s. Not started: its start was not acknowledged.",
          queries: [{ expr: perSecond("orchestrator_canary_runs_total", { by: "outcome" }), legend: "{{outcome}}" }],
        }),
        graph({
          ...{ title: "Time of canaries", unit: "seconds" },
          description: "From the start to the end: two commits and a task that does nothing.",
          queries: quantiles("orchestrator_canary_duration_seconds"),
        }),
      ],
    },
    {
      title: "Commits",
      panels: [
        graph({
          ...{ title: "Statements by result", unit: "events" },
          description: "Statements of the commit pipeline. Failed, slow, and unknown ones want a look at the database.",
          queries: [{ expr: perSecond("orchestrator_commits_total", { by: "result" }), legend: "{{result}}" }],
        }),
        graph({
          ...{ title: "Time of statements", unit: "seconds", limits: [0.1, 0.5] },
          description: "From sending a statement to its answer: the database and the network.",
          queries: quantiles("orchestrator_commit_seconds"),
        }),
        graph({
          ...{ title: "Wait before statements", unit: "seconds" },
          description: "How long the first transition of a batch waits. Grows when the pipeline is the bottleneck.",
          queries: quantiles("orchestrator_commit_wait_seconds"),
        }),
        graph({
          ...{ title: "Transitions and records", unit: "events" },
          description: "What the journal takes in a second.",
          queries: [
            { expr: perSecond("orchestrator_committed_transitions_total"), legend: "transitions" },
            { expr: perSecond("orchestrator_journal_records_total"), legend: "records" },
          ],
        }),
        graph({
          ...{ title: "Transitions a statement", unit: "count" },
          description: "Size of batches. Large ones under load are normal: they are what makes it fast.",
          queries: [
            {
              expr: `${perSecond("orchestrator_committed_transitions_total")} / (${statements} > 0)`,
              legend: "transitions",
            },
          ],
        }),
      ],
    },
  ],
};
