import type { CounterCell, GaugeCell, HistogramCell, Metrics } from "./metrics.ts";

const CELL: CounterCell & GaugeCell & HistogramCell = { add() {}, set() {}, hide() {}, observe() {} };

/** Metrics that nobody reads, for a process without a metrics port. */
export const NO_METRICS: Metrics = {
  counter: () => CELL,
  gauge: () => CELL,
  histogram: () => CELL,
  beforeRead() {},
  render: async () => "",
  contentType: "text/plain",
};
