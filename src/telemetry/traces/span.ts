/** A span that has ended, in the terms of OpenTelemetry but not in its types: those stay in the exporter. */
import type { SpanPosition } from "../../base/traces/trace-context.ts";

/** Which side of a call or message it is. */
export type SpanKind = "internal" | "server" | "client" | "producer" | "consumer";

/** Values of attributes; undefined ones are left out. */
export type Attributes = Readonly<Record<string, string | number | boolean | undefined>>;

/** Something that happened during a span. */
export interface SpanEvent {
  readonly name: string;
  /** Milliseconds since the epoch, as all times of spans. */
  readonly at: number;
  readonly attributes: Attributes;
}

/** A span in another trace that this one has to do with. */
export interface SpanLink {
  readonly to: SpanPosition;
  readonly attributes: Attributes;
}

/** A span. */
export interface Span {
  readonly traceId: string;
  readonly spanId: string;
  /** Null: it is the root of its trace. */
  readonly parent: SpanPosition | null;
  /** What the caller's systems added; empty: nothing. */
  readonly tracestate: string;
  readonly name: string;
  readonly kind: SpanKind;
  readonly startedAt: number;
  readonly endedAt: number;
  /** Type of the error that it ended with; empty: it ended well. */
  readonly error: string;
  readonly attributes: Attributes;
  readonly events: readonly SpanEvent[];
  readonly links: readonly SpanLink[];
}

/** Takes the spans that are to be exported. Must be quick and never throw. */
export interface SpanSink {
  end(span: Span): void;
}
