/**
 * Queries of panels, for the instances that `$job` and `$instance` choose. A gauge of the whole database is shown by one
 * instance at a time, whichever is chosen: `$job` alone chooses it, and its largest value is taken.
 */
import type { MetricNameOf } from "../../../src/telemetry/metrics/metric-table.ts";

type Counter = MetricNameOf<"counter"> | "process_cpu_seconds_total";
type Histogram = MetricNameOf<"histogram"> | "nodejs_gc_duration_seconds";
type Gauge =
  | MetricNameOf<"gauge">
  | `process_${string}`
  | `nodejs_${string}`
  | "up"
  | "scrape_samples_post_metric_relabeling";

/** A query, and what its series are called. */
export interface Query {
  readonly expr: string;
  /** With `{{label}}` for values of labels. */
  readonly legend: string;
}

/** Which series of a metric, and what they are grouped by. */
export interface Choice {
  /** Labels: `queue, state`. */
  readonly by?: string;
  /** Matchers: `state="WAITING"`. */
  readonly where?: string;
}

const JOB = 'job=~"$job"';
const INSTANCES = `${JOB},instance=~"$instance"`;

const braces = (base: string, where?: string): string => `{${where === undefined ? base : `${base},${where}`}}`;

const aggregate = (operator: string, expr: string, by?: string): string =>
  by === undefined ? `${operator}(${expr})` : `${operator} by (${by}) (${expr})`;

/** How often something happens in a second. */
export function perSecond(
  name: Counter | `${Histogram}_${"bucket" | "count" | "sum"}`,
  { by, where }: Choice = {},
): string {
  return aggregate("sum", `rate(${name}${braces(INSTANCES, where)}[$__rate_interval])`, by);
}

/** How often something has happened in the time that the dashboard shows. */
export function inRange(name: Counter, { by, where }: Choice = {}): string {
  return aggregate("sum", `increase(${name}${braces(INSTANCES, where)}[$__range])`, by);
}

/** Sum of what the instances show. */
export function sumOf(name: Gauge, { by, where }: Choice = {}): string {
  return aggregate("sum", name + braces(INSTANCES, where), by);
}

/** Largest of what the instances show. */
export function maxOf(name: Gauge, { by, where }: Choice = {}): string {
  return aggregate("max", name + braces(INSTANCES, where), by);
}

/** Smallest of what the instances show. */
export function minOf(name: Gauge, { by, where }: Choice = {}): string {
  return aggregate("min", name + braces(INSTANCES, where), by);
}

/** A gauge of the whole database. */
export function ofDatabase(name: MetricNameOf<"gauge">, { by, where }: Choice = {}): string {
  return aggregate("max", name + braces(JOB, where), by);
}

/** What a part of the events of a histogram stays below. */
export function quantile(part: number, name: Histogram, { by, where }: Choice = {}): string {
  const choice = { by: by === undefined ? "le" : `le, ${by}`, ...(where === undefined ? {} : { where }) };
  return `histogram_quantile(${part}, ${perSecond(`${name}_bucket`, choice)})`;
}

/** The ten largest, of labels with many values. */
export function top(expr: string): string {
  return `topk(10, ${expr})`;
}

/** A part of a whole; a part that was never seen is 0. */
export function ratio(part: string, whole: string): string {
  return `((${part}) or vector(0)) / (${whole} > 0)`;
}

/** Half, nineteen of twenty, and all but one of a hundred of the events of a histogram. */
export function quantiles(name: Histogram, choice: Choice = {}): readonly Query[] {
  return [
    [0.5, "p50"],
    [0.95, "p95"],
    [0.99, "p99"],
  ].map(([part, legend]) => ({ expr: quantile(part as number, name, choice), legend: legend as string }));
}

/** Histograms whose buckets have exemplars while calls are traced. */
const TRACED: readonly Histogram[] = ["grpc_server_handling_seconds", "http_request_duration_seconds"];

/** Whether traces lie behind a query. */
export function hasExemplars(expr: string): boolean {
  return TRACED.some((name) => expr.includes(`${name}_bucket`));
}

/** CPU of containers in cores; without a kubelet that shows them, of the processes themselves. */
export const CPU: Query = {
  expr: `sum by (pod) (rate(container_cpu_usage_seconds_total{container="orchestrator"}[$__rate_interval])) or on () ${perSecond("process_cpu_seconds_total", { by: "instance" })}`,
  legend: "{{pod}}{{instance}}",
};

/** Memory of containers; without a kubelet that shows them, of the processes themselves. */
export const MEMORY: Query = {
  expr: `sum by (pod) (container_memory_usage_bytes{container="orchestrator"}) or on () ${sumOf("process_resident_memory_bytes", { by: "instance" })}`,
  legend: "{{pod}}{{instance}}",
};
