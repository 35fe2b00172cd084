/** How many pods there are. */
import type { Part, Values } from "../values.ts";
import { object, selectorOf } from "./names.ts";

/** Up with the load, down by one pod each 5 minutes: every pod that leaves hands its shards over. */
export function autoscaler(release: string, { scaling }: Values): Part {
  return object("autoscaling/v2", "HorizontalPodAutoscaler", release, release, {
    spec: {
      scaleTargetRef: { apiVersion: "apps/v1", kind: "Deployment", name: release },
      minReplicas: scaling.minReplicas,
      maxReplicas: scaling.maxReplicas,
      metrics: scaling.metrics,
      behavior: {
        scaleUp: { stabilizationWindowSeconds: 60, policies: [{ type: "Pods", value: 2, periodSeconds: 60 }] },
        scaleDown: { stabilizationWindowSeconds: 300, policies: [{ type: "Pods", value: 1, periodSeconds: 300 }] },
      },
    },
  });
}

/** Drains of nodes take one pod at a time. */
export function disruptionBudget(release: string): Part {
  return object("policy/v1", "PodDisruptionBudget", release, release, {
    spec: {
      maxUnavailable: 1,
      selector: { matchLabels: selectorOf(release) },
      unhealthyPodEvictionPolicy: "AlwaysAllow",
    },
  });
}
