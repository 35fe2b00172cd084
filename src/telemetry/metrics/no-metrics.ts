import type { CounterSeries, GaugeSeries, HistogramSeries, Metrics } from "./metrics.ts";

const SERIES: CounterSeries & GaugeSeries & HistogramSeries = { add() {}, set() {}, hide() {}, observe() {} };

/** Metrics that nobody reads, for a process without a metrics port. */
export const NO_METRICS: Metrics = {
  counter: () => SERIES,
  gauge: () => SERIES,
  histogram: () => SERIES,
  beforeRead() {},
  render: async () => "",
  answer: async () => ({ contentType: "text/plain", text: "" }),
};
