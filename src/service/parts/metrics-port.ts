import type { HealthState } from "../../api/health.ts";
import { createHostRule } from "../../base/host-rule.ts";
import type { Log } from "../../base/log.ts";
import { isSet, type LoadedConfig } from "../../config/config.ts";
import type { Metrics } from "../../telemetry/metrics.ts";
import type { Parts } from "./parts.ts";

/**
 * Serves metrics on a separate port, under the names `hosts`; null when metrics are disabled or their default port is
 * busy.
 */
export async function openMetricsPort(
  loaded: LoadedConfig,
  metrics: Metrics | null,
  health: HealthState,
  hosts: readonly string[],
  log: Log,
  parts: Parts,
): Promise<{ readonly host: string; readonly port: number } | null> {
  if (metrics === null) return null;
  const { openMetricsServer } = await import("../../telemetry/metrics-server.ts");
  const answer = () => ({ ready: health.check("") === "SERVING", missing: health.missing() });
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
