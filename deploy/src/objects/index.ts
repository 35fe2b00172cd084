/** Every object of a release, in the order in which it is applied. */
import type { Part, Values } from "../values.ts";
import { prometheusRule, serviceMonitor } from "./monitoring.ts";
import { basicEgress, networkPolicy, service } from "./network.ts";
import { autoscaler, disruptionBudget } from "./scaling.ts";
import { deployment, serviceAccount } from "./workload.ts";

/** Objects by the name of their file. */
export type Objects = Readonly<Record<string, Part>>;

/** `podAnnotations` says what makes pods new besides the template: the configuration is not a part of it. */
export function coreObjects(release: string, values: Values, podAnnotations: Part): Objects {
  return {
    "service-account": serviceAccount(release),
    service: service(release),
    deployment: deployment(release, values, podAnnotations),
    "horizontal-pod-autoscaler": autoscaler(release, values),
    "pod-disruption-budget": disruptionBudget(release),
    "network-policy": networkPolicy(release, values),
    "network-policy-basics": basicEgress(release),
  };
}

/** Those that need the operator of Prometheus. */
export function monitoringObjects(release: string, values: Values): Objects {
  return { "service-monitor": serviceMonitor(release, values), "prometheus-rule": prometheusRule(release, values) };
}
