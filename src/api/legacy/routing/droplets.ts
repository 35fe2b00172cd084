/** Droplets, and what the service says about itself. */
import { durationMs, timestampMs } from "@bufbuild/protobuf/wkt";
import { RoutingService } from "../../../gen/orchestrator/v1/routing_service_pb.ts";
import {
  type NamedService,
  NamedServiceSource,
  type ServiceRegistry,
  ToolService,
} from "../../../gen/orchestrator/v1/tool_service_pb.ts";
import type { ApiClient } from "../../client/client.ts";
import { type Answer, answer, type Exchange } from "../exchange.ts";
import { cacheStatusOf, originOf, type SOURCES } from "./words.ts";

/** What the routes say of the service. */
export interface RoutingFacts {
  readonly version: string;
  readonly settings: {
    readonly maxRetries: number;
    readonly timeoutMs: number;
    readonly maxHistory: number;
  };
}

const SERVICE = "orchestrator";

const SOURCE: ReadonlyMap<NamedServiceSource, (typeof SOURCES)[number]> = new Map([
  [NamedServiceSource.CONFIGURATION, "configuration"],
  [NamedServiceSource.REGISTRY, "registry"],
  [NamedServiceSource.CALL, "call"],
]);

/** All droplets, and the registry. */
export async function listDroplets(
  client: ApiClient,
): Promise<{ readonly services: readonly NamedService[]; readonly registry: ServiceRegistry | undefined }> {
  const services: NamedService[] = [];
  for (let pageToken = ""; ; ) {
    const page = await client.call(ToolService.method.listServices, { pageSize: 500, pageToken });
    services.push(...page.services.filter(({ hidden }) => !hidden));
    pageToken = page.nextPageToken;
    if (pageToken === "") return { services, registry: page.registry };
  }
}

/** `GET /orchestrator/droplets` */
export async function getDroplets({ client }: Exchange): Promise<Answer> {
  const { services, registry } = await listDroplets(client);
  return answer(200, {
    droplets: services.map(({ name, url, source, reachable, lastCallTime }) => ({
      ...{
        name,
        endpoint: url,
        source: SOURCE.get(source) ?? "configuration",
        reachable,
      },
      last_call: lastCallTime === undefined ? null : timestampMs(lastCallTime) / 1_000,
    })),
    cache_status: cacheStatusOf(registry?.state),
    served_from: originOf(registry?.servedFrom),
  });
}

/** `GET /orchestrator/health`: the process answers. */
export async function getHealth(_exchange: Exchange, { version }: RoutingFacts): Promise<Answer> {
  return answer(200, { status: "ok", service: SERVICE, version });
}

/** `GET /orchestrator/info` */
export async function getInfo({ client }: Exchange, { version, settings }: RoutingFacts): Promise<Answer> {
  const { services, registry } = await listDroplets(client);
  return answer(200, {
    ...{ service: SERVICE, version, description: "Routes tasks to droplets, and runs flows." },
    endpoints: ["tasks", "droplets", "info", "health", "metrics"].map((name) => `/orchestrator/${name}`),
    registry_url: registry?.url ?? null,
    cache_status: cacheStatusOf(registry?.state),
    droplets_known: services.length,
    task_timeout_seconds: settings.timeoutMs / 1_000,
    task_max_retries: settings.maxRetries,
    task_max_history: settings.maxHistory,
  });
}

/** `GET /orchestrator/metrics`: of this instance, since its start. */
export async function getMetrics({ client }: Exchange, { version }: RoutingFacts): Promise<Answer> {
  const stats = await client.call(RoutingService.method.getRoutingStats, {});
  const { services, registry } = await listDroplets(client);
  const since = stats.sinceTime === undefined ? Date.now() : timestampMs(stats.sinceTime);
  const { endedCount: total, successCount: success } = stats;
  const ms = (duration: typeof stats.p95Duration): number => (duration === undefined ? 0 : round(durationMs(duration)));
  const { succeededSyncCount: succeeded = 0, failedSyncCount: failed = 0 } = registry ?? {};
  return answer(200, {
    ...{ service: SERVICE, version, uptime_seconds: Math.floor((Date.now() - since) / 1_000) },
    tasks: {
      ...{ total, success, error: stats.errorCount, timeout: stats.timeoutCount },
      success_rate_percent: total === 0 ? 0 : round((100 * success) / total),
      avg_response_time_ms: ms(stats.averageDuration),
      p95_response_time_ms: ms(stats.p95Duration),
      p99_response_time_ms: ms(stats.p99Duration),
    },
    retry: {
      total_retries: stats.retryCount,
      retry_success_count: stats.retriedSuccessCount,
      retry_final_fail_count: stats.retriedFailureCount,
    },
    registry: {
      ...{ syncs_total: succeeded + failed, syncs_success: succeeded, syncs_error: failed },
      last_sync: registry?.syncTime === undefined ? null : timestampMs(registry.syncTime) / 1_000,
      last_sync_duration_ms: registry?.syncDuration === undefined ? null : ms(registry.syncDuration),
      cache_age_seconds: registry?.age === undefined ? null : round(durationMs(registry.age) / 1_000),
      cache_status: cacheStatusOf(registry?.state),
    },
    droplets_known: services.length,
    droplets_reachable: services.filter(({ reachable }) => reachable).length,
  });
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
