/** The API of the service: one port that speaks gRPC, gRPC-Web, Connect and REST, put together from its parts. */
import { setImmediate as nextTurn, setTimeout as sleep } from "node:timers/promises";
import { toError } from "../base/errors.ts";
import { createHostRule } from "../base/host-rule.ts";
import type { Log } from "../base/log.ts";
import { allowedVerbs, serveConnect } from "./connect/routes.ts";
import { createForwarder } from "./forward.ts";
import { createReflection } from "./grpc/reflection.ts";
import { createGrpcServer, type ServeStream } from "./grpc/server.ts";
import type { HealthState } from "./health.ts";
import { HEARTBEAT_MS } from "./heartbeat.ts";
import { createCors } from "./http/cors.ts";
import { createFront } from "./http/front.ts";
import type { HttpMetrics } from "./http/server.ts";
import { createHttpServer } from "./http/server.ts";
import type { InfoLimits, ServiceFacts } from "./info-service.ts";
import { createTokens } from "./lists/tokens.ts";
import { createPeerRuns } from "./peer-runs.ts";
import type { CallMetrics } from "./pipeline.ts";
import { createPipeline } from "./pipeline.ts";
import { createRestRouter } from "./rest/routes.ts";
import { serveRest } from "./rest/server.ts";
import type { ServiceParts } from "./services.ts";
import { ALIASES, createServices } from "./services.ts";
import { SLOW_READER_MS } from "./slow-reader.ts";

/** Settings of the API. */
export interface ApiConfig extends InfoLimits {
  /** Origins whose pages may call. */
  readonly corsOrigins: readonly string[];
  readonly reflection: boolean;
  /** Names under which the service may be called on loopback, beside addresses and `localhost`; when there are any, also elsewhere. */
  readonly allowedHosts?: readonly string[];
  /** Time after which a silent stream sends a heartbeat, milliseconds; 15 s. */
  readonly heartbeatMs?: number;
  /** Time in which the reader of a stream must take something, milliseconds; 30 s. */
  readonly slowReaderMs?: number;
}

/** What the API stands on. */
export interface ApiParts extends Pick<ServiceParts, "engine" | "runIndex" | "flows" | "templates"> {
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

/** How often a drain looks for connections that have become idle, milliseconds. */
const DRAIN_POLL_MS = 20;

/** Builds the API. It serves nobody until it listens. */
export async function createApi(parts: ApiParts): Promise<Api> {
  const { health, config, log, metrics } = parts;
  const draining = new AbortController();
  const capabilities = ["connect", "grpc-web", "grpc-web-text", "rest", ...(config.reflection ? ["reflection"] : [])];
  const forwarder = createForwarder(parts.engine, config.maxMessageBytes, draining.signal);
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
  const pipeline = createPipeline(log, metrics.calls, methods);
  const { maxMessageBytes, slowReaderMs = SLOW_READER_MS } = config;
  const joint = { pipeline, log, maxMessageBytes, slowReaderMs };
  const extras: ReadonlyMap<string, ServeStream> = config.reflection ? await createReflection(methods) : new Map();
  const limits = { maxMessageBytes, slowReaderMs };
  const hosts = createHostRule(config.allowedHosts ?? []);
  const grpc = createGrpcServer(methods, ALIASES, extras, { pipeline, hosts, limits, log });
  const rest = createRestRouter(methods);
  const rpcVerbs = new Map(methods.map((method) => [method.path, allowedVerbs(method)]));
  const http = createHttpServer({
    health,
    cors: createCors(config.corsOrigins),
    hosts,
    allow: (path) => rpcVerbs.get(ALIASES[path] ?? path) ?? rest.allow(path),
    info: { service: "orchestrator", version: parts.facts.version },
    log,
    metrics: metrics.http,
  });
  http.app.register((scope, _options, done) => {
    serveConnect(scope, methods, ALIASES, joint);
    done();
  });
  serveRest(http.app, rest, joint);
  await http.ready();
  const front = createFront({ http2: (socket) => grpc.accept(socket), http1: (socket) => http.accept(socket) }, log);
  let closing: Promise<void> | null = null;
  const drain = (): void => {
    health.setServing(false);
    draining.abort(toError("SHUTTING_DOWN"));
  };
  return {
    async listen(host, port) {
      const address = await front.listen(host, port);
      hosts.bind(address.host);
      return address;
    },
    setServing: (serving) => health.setServing(serving),
    drain,
    close(graceMs) {
      closing ??= (async () => {
        drain();
        front.close();
        // Streams say their last word first: once a connection is told to close, HTTP/2 opens no stream on it, but ends those that are open.
        await nextTurn();
        grpc.drain();
        const giveUpAt = performance.now() + graceMs;
        for (;;) {
          http.closeIdle();
          if (front.openCount === 0 || performance.now() >= giveUpAt) break;
          await sleep(Math.min(DRAIN_POLL_MS, giveUpAt - performance.now()));
        }
        grpc.close();
        await http.close();
        forwarder.close();
        front.destroy();
      })();
      return closing;
    },
  };
}
