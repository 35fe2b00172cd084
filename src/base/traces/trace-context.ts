/** The W3C Trace Context, level 1: what services hand each other so that their spans belong together. */

/** Header, metadata key, or field with the position in a trace. */
export const TRACEPARENT = "traceparent";
/** Header, metadata key, or field with what tracing systems add to it. */
export const TRACESTATE = "tracestate";

/** A position in a trace. Both texts are valid; `tracestate` may be empty. */
export interface TraceContext {
  readonly traceparent: string;
  readonly tracestate: string;
}

/** The parts of a `traceparent`. */
export interface SpanPosition {
  /** 32 hex digits in small letters, not all of them 0. */
  readonly traceId: string;
  /** 16 hex digits in small letters, not all of them 0. */
  readonly spanId: string;
  readonly sampled: boolean;
}

/** Longest `tracestate` that is passed on, characters: what everybody must accept. */
const MAX_STATE = 512;
/** Version 00 has nothing after the flags; later versions may. */
const FORM = /^(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;
const SAMPLED = 1;

/** Reads a `traceparent`; null if it is none. */
export function parseTraceparent(text: string): SpanPosition | null {
  const [, version, traceId, spanId, flags, rest] = FORM.exec(text) ?? [];
  if (traceId === undefined || spanId === undefined || flags === undefined) return null;
  if (version === "00" && rest !== undefined) return null;
  return { traceId, spanId, sampled: (Number.parseInt(flags, 16) & SAMPLED) !== 0 };
}

/** Writes a `traceparent`. */
export function formatTraceparent({ traceId, spanId, sampled }: SpanPosition): string {
  return `00-${traceId}-${spanId}-${sampled ? "01" : "00"}`;
}

/**
 * Reads the context of what arrived; null if it has none or no valid one. `read` gives the value of a header or
 * field by its name in small letters, empty if it has none. A `tracestate` that is too long or has control characters
 * is dropped, as the specification allows.
 */
export function readTraceContext(read: (name: string) => string): TraceContext | null {
  const given = read(TRACEPARENT);
  if (given === "") return null;
  const position = parseTraceparent(given.trim());
  if (position === null) return null;
  const state = read(TRACESTATE).trim();
  const isKept = state.length <= MAX_STATE && /^[\x20-\x7e]*$/.test(state);
  return { traceparent: formatTraceparent(position), tracestate: isKept ? state : "" };
}

/** The context as headers or fields; nothing without one. */
export function toTraceFields(context: TraceContext | null | undefined): Readonly<Record<string, string>> {
  if (context == null) return NO_FIELDS;
  const { traceparent, tracestate } = context;
  return tracestate === "" ? { [TRACEPARENT]: traceparent } : { [TRACEPARENT]: traceparent, [TRACESTATE]: tracestate };
}

const NO_FIELDS: Readonly<Record<string, string>> = {};
