/** Does a run that the service itself has started come to its end, and stay? */
import { type AlertGroup, HOUR, JOB, MINUTE } from "../rule.ts";

const ONE = '{job="orchestrator",instance="a"}';

export const CANARIES: AlertGroup = {
  name: "orchestrator-canaries",
  alerts: (time) => [
    {
      ...{ name: "AckedRunLost", severity: "page", for: "0s", keepFiringFor: time(HOUR) },
      expr: `max(orchestrator_canary_lost_runs{${JOB}}) > 0`,
      summary: "A run whose start was acknowledged is gone.",
      description:
        "The service has started a run and been told that it is durable, and the run has no row in the database any more.",
      impact: "Runs of users have probably been lost, too. Nothing says which.",
      dashboard: "orchestrator-recovery",
      fires: { series: { [`orchestrator_canary_lost_runs${ONE}`]: "0x3 1x10" }, after: "5m" },
      silent: [
        { series: { [`orchestrator_canary_lost_runs${ONE}`]: "0x10" }, after: "5m" },
        { series: { [`orchestrator_canary_lost_runs${ONE}`]: "_x10" }, after: "5m" },
      ],
    },
    {
      ...{ name: "CanaryFailing", severity: "ticket", for: time(3 * MINUTE), keepFiringFor: time(2 * MINUTE) },
      expr: `time() - max(orchestrator_canary_last_success_timestamp_seconds{${JOB}}) > 3 * (max(orchestrator_canary_interval_seconds{${JOB}}) > 0)`,
      summary: "Runs that the service itself starts do not complete.",
      description:
        "For three times its interval, no canary has been acknowledged, run to its end, and given back what it got.",
      impact: "Runs of users probably do not start, or do not go on.",
      dashboard: "orchestrator-recovery",
      fires: {
        series: {
          [`orchestrator_canary_last_success_timestamp_seconds${ONE}`]: "0+60x5 300x10",
          [`orchestrator_canary_interval_seconds${ONE}`]: "60x20",
        },
        after: "12m",
      },
      silent: [
        {
          series: {
            [`orchestrator_canary_last_success_timestamp_seconds${ONE}`]: "0x12 720x5",
            'orchestrator_canary_last_success_timestamp_seconds{job="orchestrator",instance="b"}': "0+60x5 550x10",
            [`orchestrator_canary_interval_seconds${ONE}`]: "60x20",
          },
          after: "12m",
        },
        // Nobody starts any.
        {
          series: {
            [`orchestrator_canary_last_success_timestamp_seconds${ONE}`]: "0x20",
            [`orchestrator_canary_interval_seconds${ONE}`]: "0x20",
          },
          after: "12m",
        },
        // A service that has just started has not failed.
        {
          series: {
            [`orchestrator_canary_last_success_timestamp_seconds${ONE}`]: "_x9 0x2",
            [`orchestrator_canary_interval_seconds${ONE}`]: "_x9 60x20",
          },
          after: "11m",
        },
      ],
    },
  ],
};
