/** The port of metrics: `/metrics` for Prometheus, `/health` for probes. Plain HTTP, apart from the port of the API. */
import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { fail } from "../../base/errors.ts";
import type { HostRule } from "../../base/host-rule.ts";
import type { Log } from "../../base/log.ts";
import type { ConnectionState } from "../../base/net/connection-state.ts";
import type { Metrics } from "./metrics.ts";

/** What the port answers about the health of the service. */
export interface HealthAnswer {
  readonly ready: boolean;
  /** Names of what is missing. */
  readonly missing: readonly string[];
  /** What the service is connected to, by name; null: it is not used. The service is ready without some of them. */
  readonly connections: ReadonlyMap<string, ConnectionState | null>;
}

/** Settings of the port. */
export interface MetricsServerOptions {
  readonly host: string;
  readonly port: number;
  /** Under which names the port may be called. */
  readonly hosts: HostRule;
  /**
   * The port was asked for. A busy one is then an error; else the service goes on without, for Prometheus itself often
   * sits there.
   */
  readonly explicit: boolean;
}

/** The port in the hands of its owner. */
export interface MetricsServer {
  /** Where it listens; null when it does not, because the port was busy. */
  readonly address: { readonly host: string; readonly port: number } | null;
  close(): Promise<void>;
}

/**
 * Opens the port. Errors: PORT_IN_USE when the port was asked for, CONFIG_INVALID for an address that cannot be
 * listened at.
 */
export async function openMetricsServer(
  metrics: Metrics,
  health: () => HealthAnswer,
  options: MetricsServerOptions,
  log: Log,
): Promise<MetricsServer> {
  const server = createServer(
    { headersTimeout: 5_000, requestTimeout: 10_000, keepAliveTimeout: 15_000 },
    (request, response) => {
      const path = (request.url ?? "/").split("?", 1)[0];
      if (!options.hosts.allows(request.headers.host))
        answer(response, 403, "text/plain", "this host may not be used here; name it in server.allowed_hosts\n");
      else if (request.method !== "GET" && request.method !== "HEAD")
        answer(response, 405, "text/plain", "only GET is served here\n", { allow: "GET, HEAD" });
      else if (path === "/metrics") void answerMetrics(metrics, request.headers.accept, response, log);
      else if (path === "/health") answerHealth(response, health());
      else answer(response, 404, "text/plain", "served here: /metrics, /health\n");
    },
  );
  // A caller may close its half of the connection once it has sent its request. Node has no typed option for it.
  (server as Server & { httpAllowHalfOpen: boolean }).httpAllowHalfOpen = true;
  const error = await listen(server, options);
  if (error === null) {
    const { address, port } = server.address() as AddressInfo;
    server.on("error", (thrown) => log.warn("the metrics port failed", { error: thrown }));
    options.hosts.bind(address);
    server.unref();
    return { address: { host: address, port }, close: () => closeServer(server) };
  }
  const { host, port } = options;
  if (error.code !== "EADDRINUSE")
    fail(
      "CONFIG_INVALID",
      { problem: `cannot serve metrics at ${host}:${port}: ${error.code ?? error.message}` },
      { cause: error },
    );
  if (options.explicit) fail("PORT_IN_USE", { port, setting: "ORCHESTRATOR_METRICS_PORT" }, { cause: error });
  log.warn("the metrics port is in use; going on without metrics (set ORCHESTRATOR_METRICS_PORT to another one)", {
    port,
  });
  return { address: null, close: async () => undefined };
}

function listen(server: Server, { host, port }: MetricsServerOptions): Promise<NodeJS.ErrnoException | null> {
  return new Promise((resolve) => {
    server.once("error", resolve);
    server.listen({ host, port }, () => {
      server.off("error", resolve);
      resolve(null);
    });
  });
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

async function answerMetrics(
  metrics: Metrics,
  accept: string | undefined,
  response: ServerResponse,
  log: Log,
): Promise<void> {
  try {
    const { contentType, text } = await metrics.answer(accept);
    answer(response, 200, contentType, text);
  } catch (error) {
    log.error("metrics could not be rendered", { error });
    answer(response, 500, "text/plain", "metrics could not be rendered; see the log\n");
  }
}

function answerHealth(response: ServerResponse, { ready, missing, connections }: HealthAnswer): void {
  const told = [...connections].map(([name, state]) => [name, state === null ? { state: "disabled" } : tell(state)]);
  answer(
    response,
    ready ? 200 : 503,
    "application/json",
    JSON.stringify({ status: ready ? "healthy" : "unhealthy", missing, ...Object.fromEntries(told) }),
  );
}

function tell({ connected, since, problem }: ConnectionState): object {
  const known = { state: connected ? "connected" : "disconnected", since: new Date(since).toISOString() };
  return connected ? known : { ...known, problem };
}

function answer(
  response: ServerResponse,
  status: number,
  type: string,
  text: string,
  headers: Readonly<Record<string, string>> = {},
): void {
  response.writeHead(status, {
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "content-type": type,
    "content-length": Buffer.byteLength(text),
    ...headers,
  });
  response.end(text);
}
