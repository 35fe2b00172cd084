/** The API of the service: one port that speaks gRPC, gRPC-Web, Connect and REST, put together from its parts. */
import { toError } from "../base/errors.ts";
import type { Cluster } from "../engine/ports/cluster.ts";
import type { RunRelay } from "../engine/ports/run-watch.ts";
import { type Identify, identifyByName } from "./calls/identity.ts";
import { type NeedsOf, packagesOf, serveServices } from "./calls/services.ts";
import { createTokens } from "./lists/tokens.ts";
import { createPeerRuns } from "./peers/peer-runs.ts";
import type { Peers } from "./peers/peers.ts";
import { type PortConfig, type PortParts, type ServedPort, serveMethods } from "./serve-methods.ts";
import { SERVICES } from "./services/index.ts";
import { HEARTBEAT_MS } from "./streams/heartbeat.ts";

type ServiceNeeds = NeedsOf<typeof SERVICES>;

/** What the API gives its services itself. Everything else that they need comes from the composition. */
type Given = "limits" | "packages" | "tokens" | "draining" | "heartbeatMs" | "peerRuns";

/** Settings of the API. */
export type ApiConfig = PortConfig &
  ServiceNeeds["limits"] & {
    /** Time after which a silent stream sends a heartbeat, milliseconds; 15 s. */
    readonly heartbeatMs?: number;
  };

/** What the API stands on: the ports that its services need, and what the port needs. */
export type ApiParts = Omit<PortParts, "identify" | "route"> &
  Omit<ServiceNeeds, Given> & {
    readonly cluster: Cluster;
    /** Stays open when the API closes. */
    readonly peers: Peers;
    readonly runRelay: RunRelay;
    readonly config: ApiConfig;
    /** Key of page tokens and cursors: 32 bytes that all instances share and that outlive restarts. */
    readonly tokenKey: Uint8Array;
    /** How callers are identified; absent: by the name that they give, see {@link identifyByName}. */
    readonly identify?: Identify;
  };

/** The API in the hands of its owner. Closing it drains it; safe to call more than once. */
export interface Api extends ServedPort {
  /**
   * Begins the end: probes see it, streams end with SHUTTING_DOWN and a cursor, and waits that were forwarded are
   * answered. Calls are still answered, those of new connections too, because other instances may need runs that are
   * here.
   */
  drain(): void;
}

/** Builds the API. It serves nobody until it listens. */
export async function createApi(parts: ApiParts): Promise<Api> {
  const { health, config, facts, peers } = parts;
  const { callers, route } = peers;
  const draining = new AbortController();
  const capabilities = ["connect", "grpc-web", "grpc-web-text", "rest", ...(config.reflection ? ["reflection"] : [])];
  const heartbeatMs = config.heartbeatMs ?? HEARTBEAT_MS;
  const methods = serveServices(SERVICES, {
    ...parts,
    limits: config,
    facts: { ...facts, capabilities: [...facts.capabilities, ...capabilities] },
    packages: packagesOf(SERVICES),
    tokens: createTokens(parts.tokenKey),
    draining: draining.signal,
    heartbeatMs,
    peerRuns: createPeerRuns({ ...parts, callers, heartbeatMs }),
  });
  health.addServices(methods.map((method) => method.service));
  const port = await serveMethods(methods, {
    ...parts,
    identify: callers.identify(parts.identify ?? identifyByName),
    route,
  });
  let closing: Promise<void> | null = null;
  const drain = (): void => {
    health.setServing(false);
    draining.abort(toError("SHUTTING_DOWN"));
    peers.drain();
  };
  return {
    listen: (host, at) => port.listen(host, at),
    drain,
    close(graceMs) {
      drain();
      closing ??= port.close(graceMs);
      return closing;
    },
  };
}
