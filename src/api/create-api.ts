/** The API of the service: one port that speaks gRPC, gRPC-Web, Connect and REST, put together from its parts. */
import { setImmediate as nextTurn } from "node:timers/promises";
import { toError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { Cluster } from "../engine/ports/cluster.ts";
import type { RunRelay } from "../engine/ports/run-watch.ts";
import type { CallMetrics } from "./calls/pipeline.ts";
import type { HealthState } from "./health.ts";
import type { HttpMetrics } from "./http/server.ts";
import { createTokens } from "./lists/tokens.ts";
import { createForwarder } from "./peers/forward.ts";
import { createPeerRuns } from "./peers/peer-runs.ts";
import { type PortConfig, serveMethods } from "./serve-methods.ts";
import type { ServiceParts } from "./services/index.ts";
import { ALIASES, createServices } from "./services/index.ts";
import type { InfoLimits, ServiceFacts } from "./services/info-service.ts";
import { HEARTBEAT_MS } from "./streams/heartbeat.ts";

/** Settings of the API. */
export interface ApiConfig extends InfoLimits, PortConfig {
  readonly maxMessageBytes: number;
  /** Time after which a silent stream sends a heartbeat, milliseconds; 15 s. */
  readonly heartbeatMs?: number;
}

/** What the API stands on. */
export interface ApiParts
  extends Omit<ServiceParts, "health" | "facts" | "limits" | "tokens" | "peerRuns" | "draining" | "heartbeatMs"> {
  readonly cluster: Cluster;
  readonly runRelay: RunRelay;
  readonly health: HealthState;
  readonly config: ApiConfig;
  /** The service itself; its capabilities are those that the API does not know. */
  readonly facts: ServiceFacts;
  /** Key of page tokens and cursors, 32 bytes that all instances share and that outlive restarts. */
  readonly tokenKey: Uint8Array;
  readonly log: Log;
  readonly metrics: { readonly calls: CallMetrics; readonly http: HttpMetrics };
}

/** The API in the hands of its owner. */
export interface Api {
  /** Listens. Port 0 takes a free one. Errors: PORT_IN_USE, CONFIG_INVALID for an address that cannot be listened at. */
  listen(host: string, port: number): Promise<{ readonly host: string; readonly port: number }>;
  /** Whether probes see the service as taking calls. Calls that come are answered either way. */
  setServing(serving: boolean): void;
  /**
   * Begins the end: probes see it, streams end with SHUTTING_DOWN and a cursor, and waits that were forwarded are answered. Calls are still answered, those of new
   * connections too, because other instances may need runs that are here.
   */
  drain(): void;
  /**
   * Takes no new connections, ends streams with SHUTTING_DOWN and a cursor, lets calls in flight end for at most `graceMs`, then breaks them off.
   * Safe to call more than once.
   */
  close(graceMs: number): Promise<void>;
}

/** Builds the API. It serves nobody until it listens. */
export async function createApi(parts: ApiParts): Promise<Api> {
  const { health, config } = parts;
  const draining = new AbortController();
  const capabilities = ["connect", "grpc-web", "grpc-web-text", "rest", ...(config.reflection ? ["reflection"] : [])];
  const forwarder = createForwarder(parts.cluster, config.maxMessageBytes, draining.signal);
  const heartbeatMs = config.heartbeatMs ?? HEARTBEAT_MS;
  const services = createServices({
    ...parts,
    limits: config,
    facts: { ...parts.facts, capabilities: [...parts.facts.capabilities, ...capabilities] },
    tokens: createTokens(parts.tokenKey),
    draining: draining.signal,
    heartbeatMs,
    peerRuns: createPeerRuns({ ...parts, heartbeatMs }),
  });
  const methods = forwarder.wrap(services);
  health.addServices(methods.map((method) => method.service));
  const port = await serveMethods(methods, {
    aliases: ALIASES,
    health,
    config,
    version: parts.facts.version,
    log: parts.log,
    metrics: parts.metrics,
  });
  let closing: Promise<void> | null = null;
  const drain = (): void => {
    health.setServing(false);
    draining.abort(toError("SHUTTING_DOWN"));
  };
  return {
    listen: (host, at) => port.listen(host, at),
    setServing: (serving) => health.setServing(serving),
    drain,
    close(graceMs) {
      closing ??= (async () => {
        drain();
        port.closeFront();
        // Streams say their last word first: once a connection is told to close, HTTP/2 opens no stream on it, but ends those that are open.
        await nextTurn();
        await port.drain(graceMs);
        forwarder.close();
      })();
      return closing;
    },
  };
}
