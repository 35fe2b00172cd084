/**
 * Metrics: series that cost an addition to count in, and the text that Prometheus reads.
 *
 * A series is taken once for its labels and kept by who counts. (The library hashes the labels at every count, a
 * microsecond each time; the hot path counts a dozen times per run. It still gives the metrics of the Node process.)
 * Labels whose values come from outside are bounded: beyond {@link MAX_SERIES} series, or those that the table says, a
 * metric counts into one whose labels are all `other`.
 */
import { collectDefaultMetrics, Registry } from "prom-client";
import type { MetricEntry } from "./metric-entry.ts";
import type { MetricName, MetricNameOf } from "./metric-table.ts";
import { METRICS } from "./metric-table.ts";
import {
  asksForOpenMetrics,
  OPEN_METRICS_END,
  OPEN_METRICS_TYPE,
  printOpenFamily,
  printOpenRegistry,
} from "./open-metrics.ts";
import { braces, escapeLabel, Series } from "./series.ts";

/** Most combinations of labels of one metric. */
export const MAX_SERIES = 2_000;

/** How long a reading waits for gauges that are looked up, milliseconds: Prometheus gives up after 10 s. */
const PATIENCE_MS = 1_000;

/** Counts up. */
export interface CounterSeries {
  add(amount?: number): void;
}

/** Holds a value. */
export interface GaugeSeries {
  set(value: number): void;
  add(amount: number): void;
  /** Shows nothing until it is set again: another instance has the value. */
  hide(): void;
}

/** Counts observations into buckets. */
export interface HistogramSeries {
  /** `traceId`: the trace of what was observed, if it is sampled: its bucket has it as exemplar until the next one. */
  observe(value: number, traceId?: string): void;
}

/** The metrics of the service. Labels are given in the order of the table. */
export interface Metrics {
  counter(name: MetricNameOf<"counter">, ...labels: string[]): CounterSeries;
  gauge(name: MetricNameOf<"gauge">, ...labels: string[]): GaugeSeries;
  histogram(name: MetricNameOf<"histogram">, ...labels: string[]): HistogramSeries;
  /**
   * Called before each reading; for gauges that are looked up. What it throws leaves the gauge as it was. A reading
   * waits a second for it, and shows the gauge as it was; it is not called again until it has ended.
   */
  beforeRead(refresh: () => Promise<void>): void;
  /** The text of all metrics, in the Prometheus text format. */
  render(): Promise<string>;
  /**
   * What is answered to a reader with this `Accept` header: OpenMetrics with exemplars, if the header asks for it and
   * there may be exemplars; otherwise the Prometheus text format.
   */
  answer(accept: string | undefined): Promise<MetricsAnswer>;
}

/** The text of all metrics in one of its formats. */
export interface MetricsAnswer {
  readonly contentType: string;
  readonly text: string;
}

/** What {@link createMetrics} is told. */
export interface MetricsOptions {
  /** Whether calls are traced, so that there may be exemplars; default: no. */
  readonly withExemplars?: boolean;
  /** How long a reading waits for gauges that are looked up, milliseconds; default a second. */
  readonly patienceMs?: number;
}

/** Empty metrics. Those without labels, or whose labels have known values only, are there from the start, at 0. */
export function createMetrics({ withExemplars = false, patienceMs = PATIENCE_MS }: MetricsOptions = {}): Metrics {
  const families = new Map<MetricName, Map<string, Series>>();
  const refreshers: (() => Promise<void>)[] = [];
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });

  const seriesOf = (name: MetricName, labels: readonly string[]): Series => {
    const entry: MetricEntry = METRICS[name];
    if (labels.length !== entry.labels.length) throw new Error(`${name} has the labels ${entry.labels.join(", ")}`);
    let family = families.get(name);
    if (family === undefined) {
      family = new Map();
      families.set(name, family);
    }
    let key = labels.join("\u0000");
    let series = family.get(key);
    if (series !== undefined) return series;
    let kept = labels;
    if (family.size >= (entry.maxSeries ?? MAX_SERIES)) {
      kept = labels.map(() => "other");
      key = kept.join("\u0000");
      series = family.get(key);
      if (series !== undefined) return series;
    }
    series = new Series(kept, entry.buckets ?? []);
    family.set(key, series);
    return series;
  };
  for (const [name, entry] of Object.entries<MetricEntry>(METRICS))
    if ((entry.values?.length ?? 0) === entry.labels.length)
      for (const labels of combine(entry.values ?? [])) seriesOf(name as MetricName, labels);

  const refresh = (): Promise<void> => within(patienceMs, Promise.all(refreshers.map((one) => one())));
  const render = async (): Promise<string> => {
    await refresh();
    const lines: string[] = [];
    for (const [name, family] of families) printFamily(name, METRICS[name], family.values(), lines);
    return `${lines.join("\n")}\n${await registry.metrics()}`;
  };
  const renderOpen = async (): Promise<string> => {
    await refresh();
    const lines: string[] = [];
    for (const [name, family] of families) printOpenFamily(name, METRICS[name], family.values(), lines);
    await printOpenRegistry(registry, lines);
    return `${lines.join("\n")}\n${OPEN_METRICS_END}`;
  };

  return {
    counter: (name, ...labels) => seriesOf(name, labels),
    gauge: (name, ...labels) => seriesOf(name, labels),
    histogram: (name, ...labels) => seriesOf(name, labels),
    beforeRead: (one) => void refreshers.push(oneAtATime(one)),
    render,
    answer: async (accept) =>
      withExemplars && asksForOpenMetrics(accept)
        ? { contentType: OPEN_METRICS_TYPE, text: await renderOpen() }
        : { contentType: registry.contentType, text: await render() },
  };
}

/** The same look, which callers share while it is under way. It never rejects. */
function oneAtATime(refresh: () => Promise<void>): () => Promise<void> {
  let underWay: Promise<void> | null = null;
  return () => {
    underWay ??= refresh()
      .catch(() => {
        // The gauge shows what it showed before: that the store is away is in the log and in `/health`, and the other
        // metrics are needed now.
      })
      .finally(() => {
        underWay = null;
      });
    return underWay;
  };
}

/** Waits for `work`, at most so long. */
async function within(ms: number, work: Promise<unknown>): Promise<void> {
  const patience = Promise.withResolvers<void>();
  const timer = setTimeout(patience.resolve, ms);
  await Promise.race([work, patience.promise]);
  clearTimeout(timer);
}

/** Every combination of one value of each list; one empty combination when there is no list. */
function combine(lists: readonly (readonly string[])[]): readonly (readonly string[])[] {
  return lists.reduce<readonly (readonly string[])[]>(
    (heads, list) => heads.flatMap((head) => list.map((value) => [...head, value])),
    [[]],
  );
}

function printFamily(name: string, entry: MetricEntry, family: Iterable<Series>, lines: string[]): void {
  lines.push(`# HELP ${name} ${entry.help}`, `# TYPE ${name} ${entry.kind}`);
  for (const series of family) {
    if (series.hidden) continue;
    const labels = entry.labels.map((label, index) => `${label}="${escapeLabel(series.labels[index] ?? "")}"`);
    if (entry.kind !== "histogram") {
      lines.push(`${name}${braces(labels)} ${series.value}`);
      continue;
    }
    let total = 0;
    for (const [index, bound] of [...series.bounds, Number.POSITIVE_INFINITY].entries()) {
      total += series.counts[index] as number;
      lines.push(
        `${name}_bucket${braces([...labels, `le="${bound === Number.POSITIVE_INFINITY ? "+Inf" : bound}"`])} ${total}`,
      );
    }
    lines.push(`${name}_sum${braces(labels)} ${series.sum}`, `${name}_count${braces(labels)} ${total}`);
  }
}
