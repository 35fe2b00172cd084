/** Traces: without an endpoint nothing of it is loaded. */
import type { Log } from "../../../base/log.ts";
import { readVersion } from "../../../base/version.ts";
import type { Config } from "../../../config/settings.ts";
import { specOf } from "../../../engine/machine/run.ts";
import type { RunTraces } from "../../../engine/ports/traces/run-traces.ts";
import type { RunObserver } from "../../../engine/runs/observer.ts";
import type { Parts } from "../parts.ts";

/** What the rest of the service needs of traces. */
export interface Tracing {
  readonly runTraces: RunTraces;
  readonly observers: readonly RunObserver[];
}

/** Opens traces; null when they are turned off or have no endpoint. */
export async function openTracing(
  { tracing: config }: Config,
  instanceId: string,
  log: Log,
  parts: Parts,
): Promise<Tracing | null> {
  const url = urlOf(config);
  if (url === null || config.disabled || config.exporter === "none") return null;
  const [{ openExporter }, { createRunTraces }, { createSampler }] = await Promise.all([
    import("../../../telemetry/traces/exporter.ts"),
    import("../../../telemetry/traces/run-traces.ts"),
    import("../../../telemetry/traces/sampler.ts"),
  ]);
  let isFailing = false;
  const exporter = openExporter({
    protocol: config.protocol,
    url,
    headers: config.headers,
    timeoutMs: config.timeout,
    queueSize: config.queueSize,
    batchSize: config.batchSize,
    batchDelayMs: config.batchDelay,
    resource: {
      "service.version": readVersion(),
      "service.instance.id": instanceId,
      ...config.resourceAttributes,
      "service.name": config.serviceName ?? config.resourceAttributes["service.name"] ?? "orchestrator",
    },
    version: readVersion(),
    count: (result, spans) => parts.metrics.counter("orchestrator_trace_spans_total", result).add(spans),
    onState(error) {
      // Once for each outage, not for each batch.
      if (error !== null && !isFailing) log.warn("spans cannot be exported", { url, error });
      if (error === null && isFailing) log.info("spans are exported again", { url });
      isFailing = error !== null;
    },
  });
  parts.onClose(() => exporter.close());
  const runTraces = createRunTraces({
    sampler: createSampler(config.sampler, config.samplerArg),
    sink: exporter,
    typeOf: (run, path) => specOf(run, path).type,
    rebuild: () => undefined,
    slowMs: config.slowRun,
  });
  log.info("traces are exported", { url, protocol: config.protocol, sampler: config.sampler });
  return { runTraces, observers: [runTraces] };
}

/** The URL that spans are sent to; null: there is none. */
function urlOf({ endpoint, tracesEndpoint, protocol }: Config["tracing"]): string | null {
  if (tracesEndpoint !== undefined) return tracesEndpoint;
  if (endpoint === undefined) return null;
  return protocol === "grpc" ? endpoint : `${endpoint.replace(/\/+$/, "")}/v1/traces`;
}
