import type { HealthState } from "../../api/health.ts";
import { createHostRule } from "../../base/host-rule.ts";
import type { Log } from "../../base/log.ts";
import { isSet, type LoadedConfig } from "../../config/config.ts";
import type { Metrics } from "../../telemetry/metrics/metrics.ts";
import type { Connections, Parts } from "./parts.ts";

/** What probes ask for. */
export interface HealthSources {
  readonly health: HealthState;
  readonly connections: Connections;
}

/**
 * Serves metrics on a separate port, under the names `hosts`; null when metrics are disabled or their default port is
 * busy.
 */
export async function openMetricsPort(
  loaded: LoadedConfig,
  metrics: Metrics | null,
  { health, connections }: HealthSources,
  hosts: readonly string[],
  log: Log,
  parts: Parts,
): Promise<{ readonly host: string; readonly port: number } | null> {
  if (metrics === null) return null;
  const { openMetricsServer } = await import("../../telemetry/metrics/metrics-server.ts");
  const answer = () => ({
    ready: health.check("") === "SERVING",
    missing: health.missing(),
    connections: new Map([...connections].map(([name, read]) => [name, read()])),
  });
  metrics.beforeRead(async () => {
    for (const [name, read] of connections) {
      const state = read();
      if (state !== null) metrics.gauge("orchestrator_connected", name).set(state.connected ? 1 : 0);
    }
  });
  const server = await openMetricsServer(
    metrics,
    answer,
    {
      host: loaded.config.server.host,
      hosts: createHostRule(hosts),
      port: loaded.config.metrics.port,
      explicit: isSet(loaded, "metrics.port"),
    },
    log,
  );
  parts.onClose(() => server.close());
  return server.address;
}
