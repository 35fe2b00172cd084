/** Does the monitoring itself work? */
import { type AlertGroup, JOB, MINUTE } from "../rule.ts";

export const MONITORING: AlertGroup = {
  name: "orchestrator-monitoring",
  alerts: (time) => [
    {
      ...{ name: "DeadMansSwitch", severity: "info", for: "0s" },
      expr: "vector(1)",
      summary: "Alerts reach their receivers.",
      description: "This alert always fires. Its receiver calls somebody when it stops.",
      impact: "None while it fires. Without it nobody is told of anything.",
      dashboard: "orchestrator",
      fires: { series: {}, after: "1m" },
      silent: [],
    },
    {
      ...{ name: "AlertmanagerNotificationsFailing", severity: "ticket", for: time(5 * MINUTE) },
      expr: `sum by (integration) (increase(alertmanager_notifications_failed_total[${time(10 * MINUTE)}])) > 0`,
      summary: "Alertmanager cannot deliver by {{ $labels.integration }}.",
      description: "Notifications by {{ $labels.integration }} have failed for ten minutes.",
      impact: "Nobody is called.",
      dashboard: "orchestrator",
      fires: {
        series: { 'alertmanager_notifications_failed_total{integration="webhook"}': "0+1x30" },
        after: "20m",
        labels: { integration: "webhook" },
      },
      silent: [{ series: { 'alertmanager_notifications_failed_total{integration="webhook"}': "5x30" }, after: "20m" }],
    },
    {
      ...{ name: "RulesNotLoaded", severity: "ticket", for: time(5 * MINUTE) },
      expr: "prometheus_config_last_reload_successful == 0",
      summary: "Prometheus did not take its last configuration.",
      description: "The last reload of {{ $labels.instance }} failed; the rules before it are still in force.",
      impact: "New rules do not work.",
      dashboard: "orchestrator",
      fires: {
        series: { 'prometheus_config_last_reload_successful{instance="p"}': "0x20" },
        after: "10m",
        labels: { instance: "p" },
      },
      silent: [{ series: { 'prometheus_config_last_reload_successful{instance="p"}': "1x20" }, after: "10m" }],
    },
    {
      ...{ name: "MetricsCardinality", severity: "ticket", for: time(15 * MINUTE) },
      expr: `scrape_samples_post_metric_relabeling{${JOB}} > 30000`,
      summary: "{{ $labels.instance }} shows very many series.",
      description:
        "A reading of {{ $labels.instance }} has more than 30,000 samples. Each metric has at most 2,000 series.",
      impact: "Prometheus needs more memory, and queries are slower.",
      dashboard: "orchestrator-runtime",
      fires: {
        series: { 'scrape_samples_post_metric_relabeling{job="orchestrator",instance="a"}': "31000x30" },
        after: "20m",
        labels: { job: "orchestrator", instance: "a" },
      },
      silent: [
        {
          series: { 'scrape_samples_post_metric_relabeling{job="orchestrator",instance="a"}': "29000x30" },
          after: "20m",
        },
      ],
    },
  ],
};
