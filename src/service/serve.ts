/** The running service: configuration → store and engine → ports → clean stop. */
import { setTimeout as sleep } from "node:timers/promises";
import { createHealth } from "../api/health.ts";
import { hostOf, isLoopback } from "../base/host-rule.ts";
import { type Log, logOf } from "../base/log.ts";
import type { Secrets } from "../base/secrets/secrets.ts";
import { readVersion } from "../base/version.ts";
import { isSet, type LoadedConfig } from "../config/config.ts";
import { CANARY_FLOW } from "../flows/builtin/ids.ts";
import { createGenerationStory } from "../telemetry/generation-story.ts";
import { createGoalLog } from "../telemetry/goal-story.ts";
import type { Logger } from "../telemetry/log/logger.ts";
import { createOperationLog } from "../telemetry/log/operation-log.ts";
import { createRunLog } from "../telemetry/log/run-log.ts";
import { advertisedAddress } from "./advertised-address.ts";
import { checkPort } from "./check-port.ts";
import { type Core, composeCore } from "./compose.ts";
import { createDiagnostics } from "./parts/admin/diagnostics.ts";
import { FOREIGN_LOG } from "./parts/admin/foreign-log.ts";
import { openCanary } from "./parts/built-in/canary.ts";
import { openMetricsPort } from "./parts/metrics-port.ts";
import { type Connections, createParts } from "./parts/parts.ts";
import { isTraced } from "./parts/traces/tracing.ts";
import { createServiceMetrics, generationOfRun, goalOfRun, WITHOUT_METRICS } from "./service-metrics.ts";
import { watchDatabase, watchDisk } from "./watch-database.ts";

/** How long to wait for calls that other instances have forwarded, milliseconds. */
const FORWARDED_MS = 200;

/** The variable of further ports. */
const ALSO_LISTEN = "ORCHESTRATOR_ALSO_LISTEN";

/** A listening address. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

/** A running service. */
export interface Service {
  readonly core: Core;
  /** The address that it listens on. */
  readonly address: Address;
  /** Address of the metrics; null when there are none. */
  readonly metricsAddress: Address | null;
  /** Resolves when the service has stopped. */
  readonly stopped: Promise<void>;
  /** Begins the stop. Safe to call more than once. */
  stop(): void;
}

/** Options for starting a service. */
export interface ServiceOptions {
  /** See {@link composeCore}. */
  readonly watchdog?: boolean;
  /** See {@link composeCore}. */
  readonly secrets?: Secrets;
  /** What operators may do with the log; absent: it belongs to the program around, and nobody changes it. */
  readonly logger?: Pick<Logger, "levels" | "recent">;
}

/**
 * Starts the service. It accepts calls when the promise resolves. Errors: CONFIG_INVALID, PORT_IN_USE,
 * GRAPH_MODULE_INVALID, and those of the store.
 */
export async function startService(loaded: LoadedConfig, log: Log, options: ServiceOptions = {}): Promise<Service> {
  const { server, limits, store, metrics: metricsConfig } = loaded.config;
  const { logger = FOREIGN_LOG, ...coreOptions } = options;
  const parts = createParts(log);
  try {
    // Detect a busy port before a database is created and shards are taken.
    await checkPort(server.host, server.port, "ORCHESTRATOR_PORT");
    for (const port of server.alsoListen) await checkPort(server.host, port, ALSO_LISTEN);
    if (metricsConfig.enabled && isSet(loaded, "metrics.port"))
      await checkPort(server.host, metricsConfig.port, "ORCHESTRATOR_METRICS_PORT");
    // Load the API modules while the database starts.
    const apiModule = import("../api/create-api.ts");
    const metrics = metricsConfig.enabled
      ? await createServiceMetrics({ withExemplars: isTraced(loaded.config) })
      : WITHOUT_METRICS;
    const generationStory = createGenerationStory(metrics.metrics, log, generationOfRun);
    const core = await composeCore(loaded.config, log, {
      ...(metrics.metrics === null ? {} : { metrics: metrics.metrics }),
      observers: [...metrics.observers, createRunLog(log, CANARY_FLOW), createGoalLog(log, goalOfRun), generationStory],
      operationObservers: [...metrics.operationObservers, createOperationLog(log)],
      runtimeObserver: metrics.runtimeObserver,
      address: advertisedAddress(server),
      ...coreOptions,
    });
    parts.onClose(() => core.close());
    metrics.attach(core);
    const health = createHealth();
    const allowedHosts = hostsOf(server);
    let connections: Connections = core.connections;
    const diagnostics = createDiagnostics({
      ...{ loaded, instanceId: core.breakers.instanceId, core, health, metrics: metrics.metrics },
      ...logger,
      connections: () => connections,
    });
    const api = await (await apiModule).createApi({
      ...core,
      health,
      logControl: logger.levels,
      diagnostics,
      config: { ...limits, allowedHosts, corsOrigins: server.corsOrigins, reflection: server.reflection },
      facts: {
        version: readVersion(),
        revision: "",
        store: store.databaseUrl === undefined ? "embedded" : "external",
        startedAt: Date.now(),
        capabilities: [],
      },
      log: logOf(log, "api"),
      metrics,
      metricsText: metricsConfig.onApiPort ? metrics.metrics : null,
      reports: metrics.reports,
    });
    parts.onClose(async () => {
      const endsAt = performance.now() + server.drainTimeout;
      api.drain();
      // Runs first: a slow caller must not keep a run from its next owner. Callers that stay connected get the rest of
      // the time.
      await core.drain(server.drainTimeout);
      // Calls that other instances sent before they were notified are still in transit: they are answered that the run
      // has moved.
      if (core.cluster.view().others.length > 0) await sleep(Math.min(FORWARDED_MS, server.drainTimeout));
      await api.close(Math.max(0, endsAt - performance.now()));
    });
    const address = await api.listen(server.host, server.port);
    for (const port of server.alsoListen) await api.listen(server.host, port, ALSO_LISTEN);
    const database = watchDatabase(core.database, health, log);
    parts.onClose(() => database.stop());
    connections = new Map([["postgres", () => database.connection], ...core.connections]);
    const metricsAddress = await openMetricsPort(
      loaded,
      metrics.metrics,
      { health, connections },
      allowedHosts,
      log,
      parts,
    );
    openCanary(loaded.config, core, metrics.metrics, log, parts);
    health.setServing(true);
    parts.onClose(watchDisk(core.database, health, log));
    const { promise: stopped, resolve: finish } = Promise.withResolvers<void>();
    let isStopping = false;
    const stop = (): void => {
      if (isStopping) return;
      isStopping = true;
      log.info("stopping", { graceMs: server.drainTimeout });
      void parts.close().then(() => {
        log.info("stopped");
        finish();
      });
    };
    return { core, address, metricsAddress, stopped, stop };
  } catch (error) {
    await parts.close();
    throw error;
  }
}

/**
 * Returns the names under which this instance may be called: the configured names and, if there are any, also the name
 * that other instances use.
 */
function hostsOf(server: LoadedConfig["config"]["server"]): readonly string[] {
  const { allowedHosts, advertisedAddress: given } = server;
  const own = given === undefined ? null : hostOf(given);
  return own === null || (allowedHosts.length === 0 && !isLoopback(server.host))
    ? allowedHosts
    : [...allowedHosts, own];
}
