/**
 * Sends spans to a collector over OTLP. The queue is bounded, one export is under way at a time, and what finds no room
 * is dropped and counted: a collector that is away costs spans, never calls. The only file that names OpenTelemetry; it
 * is loaded when there is an endpoint.
 */
import { Metadata } from "@grpc/grpc-js";
import {
  createTraceState,
  type HrTime,
  type SpanContext,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
  type Attributes as WireAttributes,
} from "@opentelemetry/api";
import { OTLPTraceExporter as GrpcExporter } from "@opentelemetry/exporter-trace-otlp-grpc";
import { OTLPTraceExporter as HttpExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { BatchSpanProcessor, type ReadableSpan, type SpanExporter } from "@opentelemetry/sdk-trace";
import type { SpanPosition } from "../../base/traces/trace-context.ts";
import type { Attributes, Span, SpanSink } from "./span.ts";

/** Where spans go, and how. */
interface ExporterOptions {
  readonly protocol: "grpc" | "http/protobuf";
  /** Complete URL. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  readonly queueSize: number;
  readonly batchSize: number;
  readonly batchDelayMs: number;
  /** Attributes of the service, `service.name` among them. */
  readonly resource: Readonly<Record<string, string>>;
  readonly version: string;
  /** Counts spans by what became of them. */
  readonly count: (result: SpanResult, spans: number) => void;
  /** Called when an export fails, and with null when one succeeds again. */
  readonly onState: (error: Error | null) => void;
}

/** What became of a span: sent, refused by the collector or lost on the way, or dropped because the queue was full. */
type SpanResult = "exported" | "failed" | "dropped";

/** A sink that must be closed. */
interface Exporter extends SpanSink {
  /** Sends what waits, within the timeout of an export; what is left then is counted as failed. */
  close(): Promise<void>;
}

/** Opens the exporter. It connects with the first export. */
export function openExporter(options: ExporterOptions): Exporter {
  const { queueSize, timeoutMs, batchDelayMs, count, onState } = options;
  const resource = resourceFromAttributes(options.resource);
  const instrumentationScope = { name: "orchestrator", version: options.version };
  // Spans that were given to the processor and not yet by it to the exporter.
  let queued = 0;
  const inner = createWire(options);
  const exporter: SpanExporter = {
    export(spans, done) {
      queued -= spans.length;
      inner.export(spans, (result) => {
        // Success is 0.
        const failed = Number(result.code) !== 0;
        count(failed ? "failed" : "exported", spans.length);
        onState(failed ? (result.error ?? new Error("the collector did not take the spans")) : null);
        // The processor would hand a failure to a global handler, which prints it.
        done({ code: 0 });
      });
    },
    shutdown: () => inner.shutdown(),
    ...(inner.forceFlush === undefined ? {} : { forceFlush: () => inner.forceFlush?.() ?? Promise.resolve() }),
  };
  const processor = new BatchSpanProcessor({
    exporter,
    maxQueueSize: queueSize,
    maxExportBatchSize: Math.min(options.batchSize, queueSize),
    scheduledDelayMillis: batchDelayMs,
    // The exporter gives up first, and says why.
    exportTimeoutMillis: timeoutMs + 5_000,
  });
  return {
    end(span) {
      if (queued >= queueSize) {
        count("dropped", 1);
        return;
      }
      queued += 1;
      processor.onEnd(toReadable(span, { resource, instrumentationScope }));
    },
    async close() {
      // Rejects when exports overlap or the time is up: the spans are lost, and the service stops all the same.
      await processor.shutdown().catch(onState);
      if (queued > 0) count("failed", queued);
    },
  };
}

function createWire({ protocol, url, headers, timeoutMs }: ExporterOptions): SpanExporter {
  const common = { url, timeoutMillis: timeoutMs };
  if (protocol === "http/protobuf") return new HttpExporter({ ...common, headers: { ...headers } });
  const metadata = new Metadata();
  for (const [name, value] of Object.entries(headers)) metadata.set(name, value);
  return new GrpcExporter({ ...common, metadata });
}

const KIND = {
  internal: SpanKind.INTERNAL,
  server: SpanKind.SERVER,
  client: SpanKind.CLIENT,
  producer: SpanKind.PRODUCER,
  consumer: SpanKind.CONSUMER,
} as const;

function toReadable(span: Span, about: Pick<ReadableSpan, "resource" | "instrumentationScope">): ReadableSpan {
  const { traceId, spanId, parent, tracestate, name, kind, startedAt, endedAt, error, events, links } = span;
  const traceState = tracestate === "" ? {} : { traceState: createTraceState(tracestate) };
  const context: SpanContext = { traceId, spanId, traceFlags: TraceFlags.SAMPLED, ...traceState };
  return {
    ...about,
    name,
    kind: KIND[kind],
    spanContext: () => context,
    ...(parent === null ? {} : { parentSpanContext: toContext(parent) }),
    startTime: toTime(startedAt),
    endTime: toTime(endedAt),
    duration: toTime(endedAt - startedAt),
    status: error === "" ? { code: SpanStatusCode.UNSET } : { code: SpanStatusCode.ERROR, message: error },
    attributes: toWire(error === "" ? span.attributes : { ...span.attributes, "error.type": error }),
    events: events.map((event) => ({
      name: event.name,
      time: toTime(event.at),
      attributes: toWire(event.attributes),
      droppedAttributesCount: 0,
    })),
    links: links.map((link) => ({ context: toContext(link.to), attributes: toWire(link.attributes) })),
    ended: true,
    ...{ droppedAttributesCount: 0, droppedEventsCount: 0, droppedLinksCount: 0 },
  };
}

function toContext({ traceId, spanId, sampled }: SpanPosition): SpanContext {
  return { traceId, spanId, traceFlags: sampled ? TraceFlags.SAMPLED : TraceFlags.NONE, isRemote: true };
}

/** Milliseconds as seconds and nanoseconds. */
function toTime(ms: number): HrTime {
  const seconds = Math.floor(ms / 1_000);
  return [seconds, Math.round((ms - seconds * 1_000) * 1_000_000)];
}

function toWire(attributes: Attributes): WireAttributes {
  const wire: WireAttributes = {};
  for (const [name, value] of Object.entries(attributes)) if (value !== undefined) wire[name] = value;
  return wire;
}
