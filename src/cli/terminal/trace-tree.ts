/** The spans of a run as a tree. */
import type { Json } from "../../base/json/json.ts";
import type { Attributes, Span } from "../../telemetry/traces/span.ts";
import type { Shown } from "./output.ts";
import { formatTable } from "./table.ts";

/** Formats spans, each below its parent, in the order in which they began. */
export function formatTrace(spans: readonly Span[]): Shown {
  const root = spans.find(({ parent }) => parent === null);
  const children = Map.groupBy(spans, ({ parent }) => parent?.spanId ?? "");
  const rows: (readonly string[])[] = [];
  const add = (span: Span, depth: number): void => {
    rows.push([
      `${depth === 0 ? "" : `${"   ".repeat(depth - 1)}└─ `}${titleOf(span)}`,
      `+${seconds(span.startedAt - (root?.startedAt ?? span.startedAt))}`,
      seconds(span.endedAt - span.startedAt),
      span.error || (span.attributes["orchestrator.open"] === true ? "(open)" : "ok"),
      span.events.map(({ name }) => name).join(", "),
    ]);
    const below = children.get(span.spanId) ?? [];
    for (const child of below.toSorted((one, other) => one.startedAt - other.startedAt)) add(child, depth + 1);
  };
  for (const span of children.get("") ?? []) add(span, 0);
  return formatTable(["SPAN", "AT", "TOOK", "RESULT", "EVENTS"], rows);
}

/** The same for programs, as JSON. */
export function toTraceJson(traceId: string, sampled: boolean | null, spans: readonly Span[]): Json {
  return {
    trace_id: traceId,
    sampled,
    spans: spans.map((span) => ({
      span_id: span.spanId,
      parent_span_id: span.parent?.spanId ?? null,
      ...{ name: span.name, kind: span.kind, error: span.error || null },
      ...{ start_time: toTime(span.startedAt), end_time: toTime(span.endedAt) },
      attributes: toJson(span.attributes),
      events: span.events.map(({ name, at, attributes }) => ({
        name,
        time: toTime(at),
        attributes: toJson(attributes),
      })),
      links: span.links.map(({ to, attributes }) => ({
        ...{ trace_id: to.traceId, span_id: to.spanId },
        attributes: toJson(attributes),
      })),
    })),
  };
}

function titleOf({ name, attributes }: Span): string {
  const path = attributes["orchestrator.task.path"];
  if (path === undefined) return name;
  const attempt = Number(attributes["orchestrator.task.attempt"] ?? 0);
  return attempt > 1 ? `${path} (attempt ${attempt})` : String(path);
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(3)}s`;
}

function toTime(ms: number): string {
  return new Date(ms).toISOString();
}

function toJson(attributes: Attributes): Json {
  return Object.fromEntries(Object.entries(attributes).filter(([, value]) => value !== undefined)) as Json;
}
