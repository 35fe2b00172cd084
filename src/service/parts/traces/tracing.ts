/** Traces: without an endpoint nothing of it is loaded. */
import type { CallSpans } from "../../../api/calls/call.ts";
import type { Log } from "../../../base/log.ts";
import { readVersion } from "../../../base/version.ts";
import type { Config } from "../../../config/settings.ts";
import { type Run, specOf } from "../../../engine/machine/run.ts";
import type { RunReader } from "../../../engine/ports/run-reader.ts";
import type { RunTraces } from "../../../engine/ports/traces/run-traces.ts";
import type { RunObserver } from "../../../engine/runs/observer.ts";
import type { CallSpans as ToolSpans } from "../../../tools/path/trace-step.ts";
import type { Parts } from "../parts.ts";

/** What the rest of the service needs of traces. */
export interface Tracing {
  readonly runTraces: RunTraces;
  readonly observers: readonly RunObserver[];
  /** Of the calls that tasks make. */
  readonly callSpans: ToolSpans;
  /** Of the calls that the service answers. */
  readonly servedSpans: CallSpans;
  /** Connects what reads journals with the engine. */
  attach(engine: { readonly runReader: RunReader }): void;
}

/** Opens traces; null when they are turned off or have no endpoint. */
export async function openTracing(
  { tracing: config }: Config,
  instanceId: string,
  log: Log,
  parts: Parts,
): Promise<Tracing | null> {
  const url = urlOf(config);
  if (url === null) return null;
  const [
    { openExporter },
    { createRunTraces },
    { createSampler },
    { createRebuilds },
    { createCallSpans },
    { createServedSpans },
  ] = await Promise.all([
    import("../../../telemetry/traces/exporter.ts"),
    import("../../../telemetry/traces/run-traces.ts"),
    import("../../../telemetry/traces/sampler.ts"),
    import("../../../telemetry/traces/rebuilds.ts"),
    import("../../../telemetry/traces/call-spans.ts"),
    import("../../../telemetry/traces/served-spans.ts"),
  ]);
  let isFailing = false;
  // A URL may hold a password.
  const { origin: collector } = new URL(url);
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
      if (error !== null && !isFailing) log.warn("spans cannot be exported", { collector, error });
      if (error === null && isFailing) log.info("spans are exported again", { collector });
      isFailing = error !== null;
    },
  });
  parts.onClose(() => exporter.close());
  const sampler = createSampler(config.sampler, config.samplerArg);
  const typeOf = (run: Run, path: string): string => specOf(run, path).type;
  let reader: RunReader | null = null;
  const rebuild = createRebuilds({
    ...{ sink: exporter, typeOf, log, now: () => performance.now() },
    read: ({ state }, lastSequence) => readJournal(reader, state, lastSequence),
    count: (result) => parts.metrics.counter("orchestrator_trace_rebuilds_total", result).add(),
  });
  const runTraces = createRunTraces({ sampler, sink: exporter, typeOf, rebuild, slowMs: config.slowRun });
  log.info("traces are exported", { collector, protocol: config.protocol, sampler: config.sampler });
  return {
    runTraces,
    observers: [runTraces],
    callSpans: createCallSpans(exporter, Date.now),
    servedSpans: createServedSpans(exporter, sampler, Date.now),
    attach(engine) {
      reader = engine.runReader;
    },
  };
}

/** Records that are read at once. */
const PAGE = 1_000;

/**
 * Records of a run up to `last`, which is not the last one of its journal: a page that knows of another record has
 * taken one read.
 */
async function* readJournal(reader: RunReader | null, { runId, tenantId }: Run["state"], last: number) {
  const caller = { tenantId, actor: "" };
  for (let after = 0, more = reader !== null; reader !== null && more && after < last; ) {
    const page = await reader.listEvents(caller, runId, after, Math.min(PAGE, last - after));
    yield page.events.filter(({ sequence }) => sequence <= last).map(({ record }) => record);
    after = page.events.at(-1)?.sequence ?? after;
    more = page.more && page.events.length > 0;
  }
}

/** Whether spans are exported. */
export function isTraced({ tracing }: Config): boolean {
  return urlOf(tracing) !== null;
}

/** The URL that spans are sent to; null: there is none, or they are turned off. */
function urlOf({ disabled, exporter, endpoint, tracesEndpoint, protocol }: Config["tracing"]): string | null {
  if (disabled || exporter === "none") return null;
  if (tracesEndpoint !== undefined) return tracesEndpoint;
  if (endpoint === undefined) return null;
  return protocol === "grpc" ? endpoint : `${endpoint.replace(/(?<!\/)\/+$/, "")}/v1/traces`;
}
