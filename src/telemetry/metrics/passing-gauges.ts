import type { MetricNameOf } from "./metric-table.ts";
import type { Metrics } from "./metrics.ts";

/** Adds to the value of a gauge. */
export type AddToGauge = (name: MetricNameOf<"gauge">, value: number, ...labels: string[]) => void;

/** Gauges of things that come and go, set together at each reading. What is not there any more is 0. */
export function createPassingGauges(metrics: Metrics): (fill: (add: AddToGauge) => void) => void {
  const set = new Map<string, () => void>();
  return (fill) => {
    const values = new Map<string, readonly [MetricNameOf<"gauge">, number, ...string[]]>();
    fill((name, value, ...labels) => {
      const key = [name, ...labels].join(" ");
      values.set(key, [name, (values.get(key)?.[1] ?? 0) + value, ...labels]);
    });
    for (const [key, reset] of set) {
      if (values.has(key)) continue;
      reset();
      set.delete(key);
    }
    for (const [key, [name, value, ...labels]] of values) {
      metrics.gauge(name, ...labels).set(value);
      set.set(key, () => metrics.gauge(name, ...labels).set(0));
    }
  };
}
