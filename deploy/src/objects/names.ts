/** Names and times that objects share. */
import type { Part } from "../values.ts";

export const PORTS = { api: 8_002, metrics: 9_090 } as const;

/** What the service itself waits for at a stop: the default of `server.drain_timeout`, seconds. */
export const DRAIN_S = 30;

/** How long a pod that leaves still serves, until no proxy of the cluster sends it connections. */
export const LEAVE_S = 5;

/** Until SIGKILL: both, and what closing the store may take. */
export const GRACE_S = LEAVE_S + DRAIN_S + 10;

/** An object that belongs to a release. */
export function object(apiVersion: string, kind: string, name: string, release: string, rest: Part): Part {
  return { apiVersion, kind, metadata: { name, labels: labelsOf(release) }, ...rest };
}

/** What selects the pods of a release. It cannot change. */
export function selectorOf(release: string): Part {
  return { "app.kubernetes.io/name": "orchestrator", "app.kubernetes.io/instance": release };
}

export function labelsOf(release: string): Part {
  return { ...selectorOf(release), "app.kubernetes.io/component": "service", service: "orchestrator" };
}
