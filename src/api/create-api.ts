/** The API of the service, composed of its parts: one port for gRPC, gRPC-Web, Connect, and REST. */
import { toError } from "../base/errors.ts";
import type { Cluster } from "../engine/ports/cluster.ts";
import type { RunRelay } from "../engine/ports/run-watch.ts";
import { type Identify, identifyByName } from "./calls/identity.ts";
import { type NeedsOf, packagesOf, serveServices } from "./calls/services.ts";
import { createGoalRoutes } from "./legacy/goals/routes.ts";
import { createRoutingRoutes } from "./legacy/routing/routes.ts";
import { createWorkflowRoutes } from "./legacy/workflows/routes.ts";
import type { StatusSources } from "./legacy/workflows/status.ts";
import { createTokens } from "./lists/tokens.ts";
import { createPeerRuns } from "./peers/peer-runs.ts";
import type { Peers } from "./peers/peers.ts";
import { type PortConfig, type PortParts, type ServedPort, serveMethods } from "./serve-methods.ts";
import { PEER_SERVICES, SERVICES } from "./services/index.ts";
import { HEARTBEAT_MS } from "./streams/heartbeat.ts";

type ServiceNeeds = NeedsOf<typeof SERVICES> & NeedsOf<typeof PEER_SERVICES>;

/** What the API itself provides to its services. The composition provides the rest. */
type Given = "limits" | "packages" | "tokens" | "draining" | "heartbeatMs" | "peerRuns" | "askPeers";

export type ApiConfig = PortConfig &
  ServiceNeeds["limits"] & {
    /** Interval of heartbeats on silent streams, milliseconds; default 15 s. */
    readonly heartbeatMs?: number;
  };

/** Dependencies of the API: ports of its services, and what the port needs. */
export type ApiParts = Omit<PortParts, "identify" | "route" | "peerMethods"> &
  Omit<ServiceNeeds, Given> & {
    readonly cluster: Cluster;
    /** Not closed with the API. */
    readonly peers: Peers;
    readonly runRelay: RunRelay;
    readonly config: ApiConfig;
    /** Whether what is outside answers, by name. */
    readonly connections: StatusSources["connections"];
    readonly templates: StatusSources["templates"];
    readonly recovery: StatusSources["recovery"];
    /** Routed tasks that each tenant keeps. */
    readonly routedHistory: number;
    /** Key for page tokens and cursors: 32 bytes that all instances share and that survive restarts. */
    readonly tokenKey: Uint8Array;
    /** Identifies callers; default: by the name that they give, see {@link identifyByName}. */
    readonly identify?: Identify;
  };

/** The API. Closing it drains it first and can be repeated. */
export interface Api extends ServedPort {
  /**
   * Starts the drain: probes report it, streams end with SHUTTING_DOWN and a cursor, and forwarded waits are answered.
   * Calls are still served, also on new connections, because other instances may need runs that are here.
   */
  drain(): void;
}

/** Creates the API. It serves calls once it listens. */
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
    askPeers: peers.ask,
    heartbeatMs,
    peerRuns: createPeerRuns({ ...parts, callers, heartbeatMs }),
  });
  const peerMethods = serveServices(PEER_SERVICES, { ...parts, limits: config });
  health.addServices(methods.map((method) => method.service));
  const port = await serveMethods(methods, {
    ...parts,
    peerMethods,
    identify: callers.identify(parts.identify ?? identifyByName),
    route,
    foreign: (calls) => {
      const { maxMessageBytes } = config;
      const settings = { ...parts.routeRules, maxHistory: parts.routedHistory };
      return [
        createWorkflowRoutes({ ...parts, calls, maxMessageBytes }),
        createRoutingRoutes({ calls, maxMessageBytes, version: facts.version, settings }),
        createGoalRoutes({ ...parts, calls, maxMessageBytes }),
      ];
    },
  });
  let closing: Promise<void> | null = null;
  const drain = (): void => {
    health.setServing(false);
    draining.abort(toError("SHUTTING_DOWN"));
    peers.drain();
  };
  return {
    listen: port.listen,
    drain,
    close(graceMs) {
      drain();
      closing ??= port.close(graceMs);
      return closing;
    },
  };
}
