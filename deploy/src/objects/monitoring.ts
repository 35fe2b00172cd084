/** What the operator of Prometheus reads. */
import { parse } from "yaml";
import { renderAlerts, renderObjectives } from "../../../observability/src/files.ts";
import type { Part, Values } from "../values.ts";
import { labelsOf, selectorOf } from "./names.ts";

export function serviceMonitor(release: string, { monitoring }: Values): Part {
  return watched("ServiceMonitor", release, monitoring, {
    selector: { matchLabels: selectorOf(release) },
    // The rules are about the job `orchestrator`.
    jobLabel: "app.kubernetes.io/name",
    // `service` is a label of every metric.
    endpoints: [{ port: "metrics", interval: "15s", scrapeTimeout: "10s", honorLabels: true }],
  });
}

/** The alerts and recording rules of observability/. */
export function prometheusRule(release: string, { monitoring }: Values): Part {
  const groups = [renderObjectives(), renderAlerts()].flatMap((text) => (parse(text) as { groups: Part[] }).groups);
  return watched("PrometheusRule", release, monitoring, { groups });
}

/** Operators look at objects with a label of theirs. */
function watched(kind: string, release: string, { label }: Values["monitoring"], spec: Part): Part {
  const labels = { ...labelsOf(release), release: label };
  return { apiVersion: "monitoring.coreos.com/v1", kind, metadata: { name: release, labels }, spec };
}
