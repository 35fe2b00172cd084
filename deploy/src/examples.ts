/** Examples of what belongs to other releases: the adapter of metrics, and workers that follow their queue. */
import { type Files, yamlFile } from "./yaml-file.ts";

/** Files below deploy/examples. */
export function renderExamples(): Files {
  return { "prometheus-adapter.yaml": yamlFile(ADAPTER), "workers.yaml": yamlFile(WORKERS) };
}

/** Values of the chart `prometheus-adapter`: the metrics of Prometheus that autoscalers read. */
const ADAPTER = {
  rules: {
    custom: [
      {
        seriesQuery: 'orchestrator_commit_wait_seconds_sum{namespace!="",pod!=""}',
        resources: { overrides: { namespace: { resource: "namespace" }, pod: { resource: "pod" } } },
        name: { as: "commit_wait_seconds" },
        // The mean of the last two minutes; 0 and not a gap when nothing was written.
        metricsQuery:
          "sum by (<<.GroupBy>>) (rate(orchestrator_commit_wait_seconds_sum{<<.LabelMatchers>>}[2m])) / " +
          "clamp_min(sum by (<<.GroupBy>>) (rate(orchestrator_commit_wait_seconds_count{<<.LabelMatchers>>}[2m])), 0.01)",
      },
    ],
    external: [
      {
        seriesQuery: 'orchestrator_queue_tasks{namespace!=""}',
        resources: { overrides: { namespace: { resource: "namespace" } } },
        name: { as: "queue_tasks" },
        // A gauge of the whole database, which one instance has: never summed over pods.
        metricsQuery: 'max by (queue) (orchestrator_queue_tasks{<<.LabelMatchers>>,state="WAITING"})',
      },
    ],
  },
};

/** Workers of the queue `greet`: as many as it has waiting tasks for, ten each. */
const WORKERS = {
  apiVersion: "autoscaling/v2",
  kind: "HorizontalPodAutoscaler",
  metadata: { name: "greet-workers" },
  spec: {
    scaleTargetRef: { apiVersion: "apps/v1", kind: "Deployment", name: "greet-workers" },
    minReplicas: 1,
    maxReplicas: 20,
    metrics: [
      {
        type: "External",
        external: {
          metric: { name: "queue_tasks", selector: { matchLabels: { queue: "greet" } } },
          target: { type: "AverageValue", averageValue: "10" },
        },
      },
    ],
  },
};
