/** PostgreSQL, ownership, and the commit pipeline. */
import { type AlertGroup, JOB, MINUTE } from "../rule.ts";

const ONE = '{job="orchestrator",instance="a"}';

export const STORE: AlertGroup = {
  name: "orchestrator-store",
  alerts: (time) => [
    // It outlasts the alerts that follow from it, which it keeps silent.
    {
      ...{ name: "DatabaseUnreachable", severity: "page", for: time(MINUTE), keepFiringFor: time(10 * MINUTE) },
      expr: `min(orchestrator_connected{${JOB},to="postgres"}) == 0`,
      summary: "An instance does not reach PostgreSQL.",
      description: "At least one instance gets no answer from PostgreSQL.",
      impact:
        "Calls there are refused with UNAVAILABLE; runs of its shards stand still until it is back or others take them.",
      dashboard: "orchestrator-dependencies",
      fires: {
        series: { 'orchestrator_connected{job="orchestrator",instance="a",to="postgres"}': "1x2 0x10" },
        after: "6m",
      },
      silent: [
        {
          series: { 'orchestrator_connected{job="orchestrator",instance="a",to="postgres"}': "1x2 0 1x10" },
          after: "6m",
        },
      ],
    },
    {
      ...{ name: "RecoveryNotRunning", severity: "page", for: time(MINUTE) },
      expr: `time() - min(orchestrator_lease_renewed_timestamp_seconds{${JOB}}) > ${time.seconds(60)}`,
      summary: "An instance does not renew its lease.",
      description:
        "An instance has not extended its life for a minute. It cannot write, and it takes no shards of others that died.",
      impact: "Runs of its shards stand still until others take them.",
      dashboard: "orchestrator-recovery",
      fires: { series: { [`orchestrator_lease_renewed_timestamp_seconds${ONE}`]: "0+60x4 240x10" }, after: "8m" },
      silent: [{ series: { [`orchestrator_lease_renewed_timestamp_seconds${ONE}`]: "0+60x20" }, after: "8m" }],
    },
    {
      ...{ name: "DbPoolExhausted", severity: "page", for: time(5 * MINUTE), keepFiringFor: time(2 * MINUTE) },
      expr: `max by (instance, pool) (orchestrator_db_pool_waiting{${JOB}}) > 0 and max by (instance, pool) (histogram_quantile(0.9, sum by (instance, pool, le) (rate(orchestrator_db_pool_wait_seconds_bucket{${JOB}}[${time(5 * MINUTE)}])))) > 1`,
      summary: "The pool {{ $labels.pool }} of {{ $labels.instance }} has no free connection.",
      description:
        "Callers have waited for a database connection for five minutes, one in ten for longer than a second.",
      impact: "Lists and reads are slow, and some end with DEADLINE_EXCEEDED.",
      dashboard: "orchestrator-dependencies",
      fires: {
        series: {
          'orchestrator_db_pool_waiting{job="orchestrator",instance="a",pool="reads"}': "3x20",
          'orchestrator_db_pool_wait_seconds_bucket{job="orchestrator",instance="a",pool="reads",le="1"}': "0+10x20",
          'orchestrator_db_pool_wait_seconds_bucket{job="orchestrator",instance="a",pool="reads",le="2.5"}': "0+20x20",
          'orchestrator_db_pool_wait_seconds_bucket{job="orchestrator",instance="a",pool="reads",le="+Inf"}': "0+20x20",
        },
        after: "12m",
        labels: { instance: "a", pool: "reads" },
      },
      silent: [
        {
          series: {
            'orchestrator_db_pool_waiting{job="orchestrator",instance="a",pool="reads"}': "3x20",
            'orchestrator_db_pool_wait_seconds_bucket{job="orchestrator",instance="a",pool="reads",le="1"}': "0+19x20",
            'orchestrator_db_pool_wait_seconds_bucket{job="orchestrator",instance="a",pool="reads",le="2.5"}':
              "0+20x20",
            'orchestrator_db_pool_wait_seconds_bucket{job="orchestrator",instance="a",pool="reads",le="+Inf"}':
              "0+20x20",
          },
          after: "12m",
        },
        {
          series: { 'orchestrator_db_pool_waiting{job="orchestrator",instance="a",pool="reads"}': "0x20" },
          after: "12m",
        },
      ],
    },
    {
      ...{ name: "CommitsFailing", severity: "page", for: time(3 * MINUTE), keepFiringFor: time(2 * MINUTE) },
      expr: `sum(increase(orchestrator_commits_total{${JOB},result=~"failed|unknown|slow"}[${time(5 * MINUTE)}])) > 5`,
      summary: "Writes of the journal fail.",
      description:
        "Statements of the commit pipeline have failed, timed out, or ended without an answer more than five times in five minutes.",
      impact: "Starts are refused, and runs stand still until the writes succeed. What was acknowledged is kept.",
      dashboard: "orchestrator-recovery",
      fires: {
        series: { 'orchestrator_commits_total{job="orchestrator",instance="a",result="failed"}': "0x5 0+3x20" },
        after: "15m",
      },
      silent: [
        {
          series: { 'orchestrator_commits_total{job="orchestrator",instance="a",result="failed"}': "0x5 4x20" },
          after: "15m",
        },
        {
          series: { 'orchestrator_commits_total{job="orchestrator",instance="a",result="written"}': "0+50x20" },
          after: "15m",
        },
      ],
    },
    {
      ...{ name: "CommitsSlow", severity: "ticket", for: time(10 * MINUTE), keepFiringFor: time(5 * MINUTE) },
      expr: `histogram_quantile(0.95, sum by (le) (rate(orchestrator_commit_seconds_bucket{${JOB}}[${time(5 * MINUTE)}]))) > 0.5`,
      summary: "Writes of the journal are slow.",
      description:
        "One in twenty statements of the commit pipeline has taken longer than half a second for ten minutes.",
      impact: "Every start and every result waits for such a statement.",
      dashboard: "orchestrator-recovery",
      fires: {
        series: {
          [`orchestrator_commit_seconds_bucket{job="orchestrator",instance="a",le="0.5"}`]: "0+90x30",
          [`orchestrator_commit_seconds_bucket{job="orchestrator",instance="a",le="1"}`]: "0+100x30",
          [`orchestrator_commit_seconds_bucket{job="orchestrator",instance="a",le="+Inf"}`]: "0+100x30",
        },
        after: "20m",
      },
      silent: [
        {
          series: {
            [`orchestrator_commit_seconds_bucket{job="orchestrator",instance="a",le="0.5"}`]: "0+97x30",
            [`orchestrator_commit_seconds_bucket{job="orchestrator",instance="a",le="1"}`]: "0+100x30",
            [`orchestrator_commit_seconds_bucket{job="orchestrator",instance="a",le="+Inf"}`]: "0+100x30",
          },
          after: "20m",
        },
      ],
    },
    {
      ...{ name: "LeaseChurn", severity: "ticket", for: "0s", keepFiringFor: time(30 * MINUTE) },
      expr: `sum(increase(orchestrator_lease_expirations_total{${JOB}}[${time(30 * MINUTE)}])) > 2 or sum(increase(orchestrator_shards_taken_total{${JOB},after="death"}[${time(30 * MINUTE)}])) > 128`,
      summary: "Shards change their owners again and again.",
      description:
        "Instances lose their leases, or die, repeatedly: a loop that stands still, a slow database, or a process that restarts.",
      impact: "Each change costs the runs of these shards up to the time of a lease.",
      dashboard: "orchestrator-recovery",
      fires: { series: { [`orchestrator_lease_expirations_total${ONE}`]: "0x5 0+1x20" }, after: "15m" },
      silent: [{ series: { [`orchestrator_lease_expirations_total${ONE}`]: "0x5 1x20" }, after: "15m" }],
    },
    {
      ...{ name: "FencedWrites", severity: "ticket", for: "0s", keepFiringFor: time(30 * MINUTE) },
      expr: `sum(increase(orchestrator_fenced_writes_total{${JOB}}[${time(30 * MINUTE)}])) > 20`,
      summary: "Instances write to shards that they have lost.",
      description:
        "More than twenty transitions were refused within half an hour because another instance owned the shard.",
      impact: "None: the writes were refused, as they must be. Instances are often too slow to renew their leases.",
      dashboard: "orchestrator-recovery",
      fires: { series: { [`orchestrator_fenced_writes_total${ONE}`]: "0x5 0+5x20" }, after: "20m" },
      silent: [{ series: { [`orchestrator_fenced_writes_total${ONE}`]: "0x5 15x20" }, after: "20m" }],
    },
  ],
};
