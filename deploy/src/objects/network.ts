/** Who reaches the pods, and what they reach. */
import type { Part, Values } from "../values.ts";
import { object, PORTS, selectorOf } from "./names.ts";

export function service(release: string): Part {
  return object("v1", "Service", release, release, {
    spec: {
      selector: selectorOf(release),
      ports: Object.entries(PORTS).map(([name, port]) => ({ name, port, targetPort: name, protocol: "TCP" })),
    },
  });
}

/** The service asks nobody who they are, so the cluster does. */
export function networkPolicy(release: string, { network }: Values): Part {
  const own = { podSelector: { matchLabels: selectorOf(release) } };
  const tcp = (port: number): readonly Part[] => [{ protocol: "TCP", port }];
  return object("networking.k8s.io/v1", "NetworkPolicy", release, release, {
    spec: {
      podSelector: { matchLabels: selectorOf(release) },
      policyTypes: ["Ingress", "Egress"],
      ingress: [
        // Instances forward calls for each other's runs.
        { from: [own], ports: tcp(PORTS.api) },
        { from: network.callers, ports: tcp(PORTS.api) },
        { from: network.monitoring, ports: tcp(PORTS.metrics) },
      ],
      egress: network.egress,
    },
  });
}

/** DNS and the other instances: what every pod needs, whatever else the installation lets it reach. */
export function basicEgress(release: string): Part {
  return object("networking.k8s.io/v1", "NetworkPolicy", `${release}-basics`, release, {
    spec: {
      podSelector: { matchLabels: selectorOf(release) },
      policyTypes: ["Egress"],
      egress: [
        {
          to: [{ namespaceSelector: {}, podSelector: { matchLabels: { "k8s-app": "kube-dns" } } }],
          ports: ["UDP", "TCP"].map((protocol) => ({ protocol, port: 53 })),
        },
        { to: [{ podSelector: { matchLabels: selectorOf(release) } }], ports: [{ protocol: "TCP", port: PORTS.api }] },
      ],
    },
  });
}
