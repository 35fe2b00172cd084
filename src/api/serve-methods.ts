/** Serves methods over every protocol on one port: gRPC on HTTP/2; Connect, gRPC-Web, REST, and probes on HTTP/1.1. */
import { setImmediate as nextTurn, setTimeout as sleep } from "node:timers/promises";
import { createHostRule } from "../base/host-rule.ts";
import type { Log } from "../base/log.ts";
import type { CallSpans } from "./calls/call.ts";
import type { Identify } from "./calls/identity.ts";
import type { ServedMethod } from "./calls/methods.ts";
import type { CallMetrics } from "./calls/pipeline.ts";
import { createPipeline } from "./calls/pipeline.ts";
import type { Route } from "./calls/routing.ts";
import { createLocalCalls, type LocalCalls } from "./client/local-client.ts";
import { allowedVerbs, serveConnect } from "./connect/routes.ts";
import { createReflection } from "./grpc/reflection.ts";
import { createGrpcServer, type ServeStream } from "./grpc/server.ts";
import type { HealthState } from "./health.ts";
import { createCors } from "./http/cors.ts";
import type { ForeignRoutes } from "./http/foreign-routes.ts";
import { createFront } from "./http/front.ts";
import type { MetricsText } from "./http/probes.ts";
import type { HttpMetrics } from "./http/server.ts";
import { createHttpServer } from "./http/server.ts";
import { createRestRouter } from "./rest/routes.ts";
import { serveRest } from "./rest/server.ts";
import { SLOW_READER_MS } from "./streams/slow-reader.ts";

/** Settings of the port. */
export interface PortConfig {
  /** Origins whose pages can call. */
  readonly corsOrigins: readonly string[];
  readonly reflection: boolean;
  /**
   * Host names of the service in addition to addresses and `localhost`. They are checked on loopback, and if there are
   * any, everywhere.
   */
  readonly allowedHosts?: readonly string[];
  /** Largest message in either direction, bytes. */
  readonly maxMessageBytes: number;
  /** Largest payload of a request, bytes of JSON; default: the largest message. */
  readonly maxPayloadBytes?: number;
  /** How long a stream may wait for its reader, milliseconds; default 30 s. */
  readonly slowReaderMs?: number;
}

export interface PortParts {
  readonly health: HealthState;
  readonly config: PortConfig;
  /** `GET /` shows the version. */
  readonly facts: { readonly version: string };
  readonly log: Log;
  readonly metrics: { readonly calls: CallMetrics; readonly http: HttpMetrics };
  /** Absent or null: calls have no spans. */
  readonly servedSpans?: CallSpans | null;
  /** Identifies callers. */
  readonly identify: Identify;
  /** Forwards unary calls to other instances; absent: all are handled here. */
  readonly route?: Route;
  /** Methods for other instances, over gRPC only; no list shows them. */
  readonly peerMethods?: readonly ServedMethod[];
  /** What `/metrics` answers on this port; null: it is not served. */
  readonly metricsText: MetricsText | null;
  /** Routes of other systems, which call the methods. */
  readonly foreign?: (calls: LocalCalls) => readonly ForeignRoutes[];
}

/** A port with its lifecycle. */
export interface ServedPort {
  /**
   * Starts listening. Port 0 picks a free one. May be called again for further ports; `setting` is the one that names
   * the port. Errors: PORT_IN_USE, CONFIG_INVALID for an unusable address.
   */
  listen(host: string, port: number, setting?: string): Promise<{ readonly host: string; readonly port: number }>;
  /** Stops listening, lets calls in flight finish for at most `graceMs`, then destroys the rest. Call it once. */
  close(graceMs: number): Promise<void>;
}

/** Interval of checks for idle connections during a drain, milliseconds. */
const DRAIN_POLL_MS = 20;

/** Composes the protocols. Nothing is served before {@link ServedPort.listen}. */
export async function serveMethods(methods: readonly ServedMethod[], parts: PortParts): Promise<ServedPort> {
  const { health, config, facts, log, metrics, identify, route, peerMethods = [] } = parts;
  const pipeline = createPipeline({
    methods: [...methods, ...peerMethods],
    log,
    metrics: metrics.calls,
    spans: parts.servedSpans ?? null,
    identify,
    ...(route === undefined ? {} : { route }),
  });
  const { maxMessageBytes, maxPayloadBytes = maxMessageBytes, slowReaderMs = SLOW_READER_MS } = config;
  const limits = { maxMessageBytes, maxPayloadBytes, slowReaderMs };
  const joint = { pipeline, log, ...limits };
  const extras: ReadonlyMap<string, ServeStream> = config.reflection ? await createReflection(methods) : new Map();
  const hosts = createHostRule(config.allowedHosts ?? []);
  const grpc = createGrpcServer([...methods, ...peerMethods], extras, { pipeline, hosts, limits, log });
  const rest = createRestRouter(methods);
  const rpcVerbs = new Map(
    methods.flatMap((method) => [method.path, ...method.aliases].map((path) => [path, allowedVerbs(method)])),
  );
  const foreign = parts.foreign?.(createLocalCalls(methods, pipeline)) ?? [];
  const allowForeign = (path: string): readonly string[] => foreign.flatMap((routes) => routes.allow(path));
  const http = createHttpServer({
    health,
    cors: createCors(config.corsOrigins),
    hosts,
    allow: (path) => rpcVerbs.get(path) ?? [...rest.allow(path), ...allowForeign(path)],
    foreign,
    info: { service: "orchestrator", version: facts.version },
    metricsText: parts.metricsText,
    log,
    metrics: metrics.http,
    slowReaderMs,
  });
  http.app.register((scope, _options, done) => {
    serveConnect(scope, methods, joint);
    done();
  });
  serveRest(http.app, rest, joint);
  for (const routes of foreign) routes.serve(http.app);
  await http.ready();
  const front = createFront({ http2: (socket) => grpc.accept(socket), http1: (socket) => http.accept(socket) }, log);
  return {
    async listen(host, port, setting) {
      const address = await front.listen(host, port, setting);
      hosts.bind(address.host);
      return address;
    },
    async close(graceMs) {
      front.close();
      // Let streams send their last frame first: once a connection is told to close, HTTP/2 opens no new streams but
      // lets open ones end.
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
      front.destroy();
    },
  };
}
