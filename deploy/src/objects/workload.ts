/** The pods. */
import type { Part, Values } from "../values.ts";
import { GRACE_S, LEAVE_S, labelsOf, object, PORTS, selectorOf } from "./names.ts";

/**
 * Pods that hold nothing: the database is outside, and any of them may leave. Without `replicas`, which belongs to the
 * autoscaler.
 */
export function deployment(release: string, values: Values, podAnnotations: Part): Part {
  const { pods } = values;
  return object("apps/v1", "Deployment", release, release, {
    spec: {
      selector: { matchLabels: selectorOf(release) },
      // One more at a time, and none fewer: shards of a pod that leaves go to pods that are ready.
      strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
      minReadySeconds: 10,
      revisionHistoryLimit: 5,
      template: {
        metadata: { labels: labelsOf(release), annotations: podAnnotations },
        spec: {
          serviceAccountName: release,
          automountServiceAccountToken: false,
          enableServiceLinks: false,
          terminationGracePeriodSeconds: GRACE_S,
          securityContext: {
            runAsNonRoot: true,
            runAsUser: 10_001,
            runAsGroup: 10_001,
            fsGroup: 10_001,
            seccompProfile: { type: "RuntimeDefault" },
          },
          topologySpreadConstraints: ["topology.kubernetes.io/zone", "kubernetes.io/hostname"].map((topologyKey) => ({
            maxSkew: 1,
            topologyKey,
            whenUnsatisfiable: pods.whenUnsatisfiable,
            labelSelector: { matchLabels: selectorOf(release) },
            matchLabelKeys: ["pod-template-hash"],
          })),
          containers: [container(values)],
          volumes: [
            { name: "config", configMap: { name: `${release}-config` } },
            { name: "secrets", secret: { secretName: values.secrets.named, optional: true } },
            // Compiled code, kept over restarts of the container: a start takes less CPU and memory.
            { name: "data", emptyDir: { sizeLimit: "256Mi" } },
            { name: "tmp", emptyDir: { sizeLimit: "64Mi" } },
          ],
        },
      },
    },
  });
}

function container({ image, secrets, pods }: Values): Part {
  return {
    name: "orchestrator",
    image: `${image.repository}:${image.tag}`,
    imagePullPolicy: image.pullPolicy,
    ports: Object.entries(PORTS).map(([name, containerPort]) => ({ name, containerPort, protocol: "TCP" })),
    env: [
      { name: "ORCHESTRATOR_SECRETS_DIR", value: "/var/run/secrets/orchestrator" },
      { name: "DATABASE_URL", valueFrom: { secretKeyRef: { name: secrets.database, key: "url" } } },
      { name: "REDIS_URL", valueFrom: { secretKeyRef: { name: secrets.redis, key: "url", optional: true } } },
    ],
    resources: pods.resources,
    // The first start of a release migrates the database; the port opens after that.
    startupProbe: { httpGet: { path: "/healthz", port: "api" }, periodSeconds: 2, failureThreshold: 150 },
    // Only a process that does not answer at all is replaced; the watchdog of the service is faster.
    livenessProbe: {
      httpGet: { path: "/healthz", port: "api" },
      periodSeconds: 10,
      timeoutSeconds: 5,
      failureThreshold: 3,
    },
    readinessProbe: {
      httpGet: { path: "/readyz", port: "api" },
      periodSeconds: 5,
      timeoutSeconds: 3,
      failureThreshold: 2,
    },
    lifecycle: { preStop: { sleep: { seconds: LEAVE_S } } },
    securityContext: {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ["ALL"] },
    },
    volumeMounts: [
      { name: "config", mountPath: "/etc/orchestrator", readOnly: true },
      { name: "secrets", mountPath: "/var/run/secrets/orchestrator", readOnly: true },
      { name: "data", mountPath: "/var/lib/orchestrator" },
      { name: "tmp", mountPath: "/tmp" },
    ],
  };
}

export function serviceAccount(release: string): Part {
  return object("v1", "ServiceAccount", release, release, { automountServiceAccountToken: false });
}
