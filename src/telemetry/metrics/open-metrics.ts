/**
 * The metrics as OpenMetrics 1.0, the format that has exemplars. Differences to the Prometheus text format: a counter's
 * family has no `_total`, bounds of buckets are floats (`1.0`), and the text ends with `# EOF`.
 */
import type { Registry } from "prom-client";
import type { MetricEntry } from "./metric-entry.ts";
import { braces, type Exemplar, escapeLabel, type Series } from "./series.ts";

/** Its content type. */
export const OPEN_METRICS_TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/** The last line. */
export const OPEN_METRICS_END = "# EOF\n";

/** Whether an `Accept` header prefers it to the Prometheus text format, or takes it as gladly. */
export function asksForOpenMetrics(accept: string | undefined): boolean {
  const wishes = (accept ?? "").toLowerCase().split(",").map(readWish);
  const weightOf = (isIt: (wish: Wish) => boolean): number =>
    Math.max(0, ...wishes.filter(isIt).map(({ weight }) => weight));
  const wanted = weightOf(
    ({ type, version }) => type === "application/openmetrics-text" && (version === undefined || version === "1.0.0"),
  );
  return wanted > 0 && wanted >= weightOf(({ type }) => type === "text/plain");
}

/** A media type that a caller takes. */
interface Wish {
  readonly type: string;
  readonly version: string | undefined;
  /** From 0 (never) to 1. */
  readonly weight: number;
}

function readWish(text: string): Wish {
  const [type = "", ...parameters] = text.split(";").map((part) => part.trim());
  const values = new Map(parameters.map((parameter) => splitAt(parameter, parameter.indexOf("="))));
  const weight = Number(values.get("q") ?? 1);
  return { type, version: values.get("version"), weight: weight >= 0 && weight <= 1 ? weight : 0 };
}

function splitAt(text: string, at: number): readonly [string, string] {
  return at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at + 1).replaceAll('"', "")];
}

/** Prints a metric of the table. */
export function printOpenFamily(name: string, entry: MetricEntry, family: Iterable<Series>, lines: string[]): void {
  printHead(name, entry.kind, entry.help, lines);
  for (const series of family) {
    if (series.hidden) continue;
    const labels = entry.labels.map((label, index) => printLabel(label, series.labels[index] ?? ""));
    if (entry.kind !== "histogram") {
      lines.push(`${name}${braces(labels)} ${series.value}`);
      continue;
    }
    let total = 0;
    for (const [index, bound] of [...series.bounds, Number.POSITIVE_INFINITY].entries()) {
      total += series.counts[index] as number;
      const exemplar = series.exemplars?.[index];
      const end = exemplar === undefined ? "" : printExemplar(exemplar);
      lines.push(`${name}_bucket${braces([...labels, printLabel("le", printBound(bound))])} ${total}${end}`);
    }
    lines.push(`${name}_sum${braces(labels)} ${series.sum}`, `${name}_count${braces(labels)} ${total}`);
  }
}

/** Prints the metrics of the Node process, which the library keeps. */
export async function printOpenRegistry(registry: Registry, lines: string[]): Promise<void> {
  for (const { name, help, type, values } of await registry.getMetricsAsJSON()) {
    printHead(name, String(type), help, lines);
    for (const value of values) {
      const sample = "metricName" in value ? String(value.metricName) : name;
      const labels = Object.entries(value.labels).map(([label, text]) =>
        printLabel(label, label === "le" && typeof text === "number" ? printBound(text) : String(text)),
      );
      lines.push(`${sample}${braces(labels)} ${printNumber(value.value)}`);
    }
  }
}

function printHead(name: string, kind: string, help: string, lines: string[]): void {
  const family = kind === "counter" ? name.replace(/_total$/, "") : name;
  lines.push(`# HELP ${family} ${escapeLabel(help)}`, `# TYPE ${family} ${kind}`);
}

function printLabel(name: string, value: string): string {
  return `${name}="${escapeLabel(value)}"`;
}

function printExemplar({ traceId, value, at }: Exemplar): string {
  return ` # {trace_id="${traceId}"} ${value} ${at / 1_000}`;
}

/** A bound as every exposer writes it, so that series have the same labels everywhere: as a float. */
function printBound(bound: number): string {
  return Number.isInteger(bound) ? `${bound}.0` : printNumber(bound);
}

function printNumber(value: number): string {
  return Number.isFinite(value) || Number.isNaN(value) ? String(value) : value > 0 ? "+Inf" : "-Inf";
}
