/** What the table of metrics is written with. */

/** Declaration of a metric. */
export interface MetricEntry {
  readonly kind: "counter" | "gauge" | "histogram";
  readonly help: string;
  readonly labels: readonly string[];
  /**
   * All values of the labels, in their order, where they are known: these series are there from the start, at 0, so
   * that the first event is an increase.
   */
  readonly values?: readonly (readonly string[])[];
  /** Most combinations of labels; the others count as one whose labels are all `other`. */
  readonly maxSeries?: number;
  /** Upper bounds of a histogram, in its unit. */
  readonly buckets?: readonly number[];
}

/** Answers of calls, verdicts of the gate; holds the thresholds of the objectives (100 ms, 250 ms). */
export const CALL_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
/** Delays and takeovers: hold the thresholds of the objectives (1 s, 5 s, 30 s). */
export const DELAY_SECONDS = [0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1_800];
/** Runs and tasks: from a moment to a day. */
export const WORK_SECONDS = [0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 5, 10, 30, 60, 300, 1_800, 3_600, 21_600, 86_400];

/** Counts up. `values` are those of each label, where all are known. */
export const counter = (help: string, labels: readonly string[] = [], ...values: (readonly string[])[]) =>
  ({ kind: "counter", help, labels, values }) as const;
/** Holds a value. */
export const gauge = (help: string, labels: readonly string[] = []) => ({ kind: "gauge", help, labels }) as const;
/** Counts observations into buckets. `values` as for {@link counter}. */
export const histogram = (
  help: string,
  buckets: readonly number[],
  labels: readonly string[] = [],
  ...values: (readonly string[])[]
) => ({ kind: "histogram", help, labels, buckets, values }) as const;
