/** The messages of OTLP that carry spans, with the numbers of their fields: as much of them as tests read. */
import { createFileRegistry, fromBinary, fromJson, type Message } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";

/** Name, number, and type of each field; `[]` after a type: repeated. */
const MESSAGES: Readonly<Record<string, readonly (readonly [string, number, string])[]>> = {
  ExportTraceServiceRequest: [["resource_spans", 1, "ResourceSpans[]"]],
  ResourceSpans: [
    ["resource", 1, "Resource"],
    ["scope_spans", 2, "ScopeSpans[]"],
  ],
  Resource: [["attributes", 1, "KeyValue[]"]],
  ScopeSpans: [
    ["scope", 1, "Scope"],
    ["spans", 2, "Span[]"],
  ],
  Scope: [
    ["name", 1, "STRING"],
    ["version", 2, "STRING"],
  ],
  Span: [
    ["trace_id", 1, "BYTES"],
    ["span_id", 2, "BYTES"],
    ["trace_state", 3, "STRING"],
    ["parent_span_id", 4, "BYTES"],
    ["name", 5, "STRING"],
    ["kind", 6, "INT32"],
    ["start_time_unix_nano", 7, "FIXED64"],
    ["end_time_unix_nano", 8, "FIXED64"],
    ["attributes", 9, "KeyValue[]"],
    ["events", 11, "Event[]"],
    ["links", 13, "Link[]"],
    ["status", 15, "Status"],
  ],
  Event: [
    ["time_unix_nano", 1, "FIXED64"],
    ["name", 2, "STRING"],
    ["attributes", 3, "KeyValue[]"],
  ],
  Link: [
    ["trace_id", 1, "BYTES"],
    ["span_id", 2, "BYTES"],
    ["attributes", 4, "KeyValue[]"],
  ],
  Status: [
    ["message", 2, "STRING"],
    ["code", 3, "INT32"],
  ],
  KeyValue: [
    ["key", 1, "STRING"],
    ["value", 2, "AnyValue"],
  ],
  AnyValue: [
    ["string_value", 1, "STRING"],
    ["bool_value", 2, "BOOL"],
    ["int_value", 3, "INT64"],
    ["double_value", 4, "DOUBLE"],
  ],
};

const file = fromJson(FileDescriptorProtoSchema, {
  name: "otlp.proto",
  package: "otlp",
  syntax: "proto2",
  messageType: Object.entries(MESSAGES).map(([name, fields]) => ({
    name,
    field: fields.map(([field, number, type]) => {
      const [, base = "", list] = /^(\w+)(\[\])?$/.exec(type) ?? [];
      const isMessage = base in MESSAGES;
      return {
        ...{ name: field, number, label: list === undefined ? "LABEL_OPTIONAL" : "LABEL_REPEATED" },
        ...(isMessage ? { type: "TYPE_MESSAGE", typeName: `.otlp.${base}` } : { type: `TYPE_${base}` }),
      };
    }),
  })),
});
const request = createFileRegistry(file, () => undefined).getMessage("otlp.ExportTraceServiceRequest");

interface WireKey {
  readonly key: string;
  readonly value: { stringValue: string; boolValue: boolean; intValue: bigint; doubleValue: number };
}

interface WireRequest extends Message {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly WireKey[] };
    readonly scopeSpans: readonly {
      readonly spans: readonly {
        readonly traceId: Uint8Array;
        readonly spanId: Uint8Array;
        readonly parentSpanId: Uint8Array;
        readonly traceState: string;
        readonly name: string;
        readonly kind: number;
        readonly startTimeUnixNano: bigint;
        readonly endTimeUnixNano: bigint;
        readonly attributes: readonly WireKey[];
        readonly events: readonly { readonly name: string; readonly attributes: readonly WireKey[] }[];
        readonly links: readonly {
          readonly traceId: Uint8Array;
          readonly spanId: Uint8Array;
          readonly attributes: readonly WireKey[];
        }[];
        readonly status?: { readonly code: number; readonly message: string };
      }[];
    }[];
  }[];
}

type Attributes = Readonly<Record<string, string | number | boolean>>;

/** A span as it arrived. */
export interface ReceivedSpan {
  readonly service: Attributes;
  readonly traceId: string;
  readonly spanId: string;
  /** Empty: it is a root. */
  readonly parentId: string;
  readonly traceState: string;
  readonly name: string;
  readonly kind: "internal" | "server" | "client" | "producer" | "consumer";
  /** Milliseconds. */
  readonly startedAt: number;
  readonly endedAt: number;
  readonly error: boolean;
  readonly attributes: Attributes;
  readonly events: readonly { readonly name: string; readonly attributes: Attributes }[];
  readonly links: readonly { readonly traceId: string; readonly spanId: string; readonly attributes: Attributes }[];
}

const KINDS = ["internal", "internal", "server", "client", "producer", "consumer"] as const;

/** Reads the bytes of an export. */
export function readExport(bytes: Uint8Array): readonly ReceivedSpan[] {
  if (request === undefined) throw new Error("the messages of OTLP are not declared");
  const { resourceSpans } = fromBinary(request, bytes) as WireRequest;
  return resourceSpans.flatMap(({ resource, scopeSpans }) =>
    scopeSpans.flatMap(({ spans }) =>
      spans.map((span) => ({
        service: toAttributes(resource.attributes),
        ...{ traceId: toHex(span.traceId), spanId: toHex(span.spanId), parentId: toHex(span.parentSpanId) },
        ...{ traceState: span.traceState, name: span.name, kind: KINDS[span.kind] ?? "internal" },
        ...{ startedAt: toMs(span.startTimeUnixNano), endedAt: toMs(span.endTimeUnixNano) },
        error: span.status?.code === 2,
        attributes: toAttributes(span.attributes),
        events: span.events.map(({ name, attributes }) => ({ name, attributes: toAttributes(attributes) })),
        links: span.links.map((link) => ({
          ...{ traceId: toHex(link.traceId), spanId: toHex(link.spanId) },
          attributes: toAttributes(link.attributes),
        })),
      })),
    ),
  );
}

function toAttributes(pairs: readonly WireKey[]): Attributes {
  const known = (value: WireKey["value"]): string | number | boolean => {
    if (Object.hasOwn(value, "stringValue")) return value.stringValue;
    if (Object.hasOwn(value, "intValue")) return Number(value.intValue);
    return Object.hasOwn(value, "boolValue") ? value.boolValue : value.doubleValue;
  };
  return Object.fromEntries(pairs.map(({ key, value }) => [key, known(value)]));
}

function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

function toMs(nanos: bigint): number {
  return Number(nanos) / 1e6;
}
