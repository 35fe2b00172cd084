/**
 * What differs between installations: two levels, as the sections of the service's configuration. The same values are
 * the `values.yaml` of the Helm chart and what the overlays of Kustomize set.
 */

/** A Kubernetes object, or a part of one. */
export type Part = Readonly<Record<string, unknown>>;

/** What each value is. The comments of `values.yaml` say the same. */
export const ABOUT = {
  image: {
    repository: "Name of the image, with its registry.",
    tag: "The version of the chart when empty. Never `latest`.",
    pullPolicy: "IfNotPresent, Always, or Never.",
  },
  config: { text: "The file orchestrator.yaml (docs/config.md). No secrets: name them as `secret://NAME`." },
  secrets: {
    database: "Secret whose key `url` is DATABASE_URL.",
    redis: "Secret whose key `url` is REDIS_URL. May be missing.",
    named: "Secret whose keys are the names that follow `secret://`. May be missing.",
  },
  pods: {
    resources: "Requests and limits of a pod.",
    whenUnsatisfiable: "Whether pods may share a zone or node when there is no other: ScheduleAnyway or DoNotSchedule.",
  },
  scaling: {
    minReplicas: "Fewest pods.",
    maxReplicas: "Most pods: at most one per 4 shards, 16 with the 64 shards that a database has by default.",
    metrics: "What the autoscaler looks at.",
  },
  network: {
    callers: "Who may call the API, as peers of a NetworkPolicy. The pods of the release always may.",
    monitoring: "Who may read metrics.",
    egress: "What pods may reach besides DNS and each other.",
  },
  monitoring: {
    enabled: "Whether there are a ServiceMonitor and a PrometheusRule, for the operator of Prometheus.",
    label: "Value of their label `release`, by which the operator finds them.",
  },
} as const;

export interface Values extends Readonly<Record<keyof typeof ABOUT, Part>> {
  readonly image: Readonly<Record<keyof typeof ABOUT.image, string>>;
  readonly config: { readonly text: string };
  readonly secrets: Readonly<Record<keyof typeof ABOUT.secrets, string>>;
  readonly pods: { readonly resources: Part; readonly whenUnsatisfiable: string };
  readonly scaling: { readonly minReplicas: number; readonly maxReplicas: number; readonly metrics: readonly Part[] };
  readonly network: Readonly<Record<keyof typeof ABOUT.network, readonly Part[]>>;
  readonly monitoring: { readonly enabled: boolean; readonly label: string };
}

/** Environments with overlays, and the namespace of each. */
export const NAMESPACES = {
  dev: "orchestrator-dev",
  staging: "orchestrator-staging",
  prod: "orchestrator",
} as const;

export type Environment = keyof typeof NAMESPACES;

const CPU: Part = {
  type: "Resource",
  resource: { name: "cpu", target: { type: "Utilization", averageUtilization: 70 } },
};

/**
 * How long batches of the journal wait before they are sent, on average: a pod whose commit pipeline is the bottleneck
 * shows it before its CPU does. The adapter of examples/prometheus-adapter.yaml serves it.
 */
const COMMIT_WAIT: Part = {
  type: "Pods",
  pods: { metric: { name: "commit_wait_seconds" }, target: { type: "AverageValue", averageValue: "50m" } },
};

/** Everything but the addresses at which clouds give credentials to machines. */
const OUTSIDE: Part = {
  to: [
    { ipBlock: { cidr: "0.0.0.0/0", except: ["169.254.0.0/16"] } },
    { ipBlock: { cidr: "::/0", except: ["fe80::/10", "fd00:ec2::254/128"] } },
  ],
};

/** Those of production, for a cluster that has the operator and the adapter of Prometheus. */
export const PRODUCTION: Values = {
  image: { repository: "orchestrator", tag: "", pullPolicy: "IfNotPresent" },
  config: { text: "log:\n  format: json\n" },
  secrets: { database: "orchestrator-database", redis: "orchestrator-redis", named: "orchestrator-secrets" },
  pods: {
    resources: { requests: { cpu: "500m", memory: "512Mi" }, limits: { cpu: "2", memory: "1Gi" } },
    whenUnsatisfiable: "ScheduleAnyway",
  },
  scaling: { minReplicas: 3, maxReplicas: 16, metrics: [CPU, COMMIT_WAIT] },
  network: {
    callers: [{ namespaceSelector: { matchLabels: { "orchestrator/caller": "true" } } }],
    monitoring: [{ namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "monitoring" } } }],
    egress: [OUTSIDE],
  },
  monitoring: { enabled: true, label: "prometheus" },
};

/** A small cluster without Prometheus: what the base of Kustomize and the defaults of the chart say. */
export const DEFAULTS: Values = {
  ...PRODUCTION,
  pods: {
    ...PRODUCTION.pods,
    resources: { requests: { cpu: "100m", memory: "256Mi" }, limits: { cpu: "1", memory: "512Mi" } },
  },
  scaling: { minReplicas: 1, maxReplicas: 2, metrics: [CPU] },
  monitoring: { ...PRODUCTION.monitoring, enabled: false },
};

export const ENVIRONMENTS: Readonly<Record<Environment, Values>> = {
  dev: { ...DEFAULTS, config: { text: "log:\n  format: json\n  level: debug\nserver:\n  reflection: true\n" } },
  staging: { ...PRODUCTION, scaling: { ...PRODUCTION.scaling, minReplicas: 2, maxReplicas: 4 } },
  prod: PRODUCTION,
};
