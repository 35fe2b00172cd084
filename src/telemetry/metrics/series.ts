/** A call that a bucket of a histogram has counted last, with its trace. */
export interface Exemplar {
  /** 32 hex digits. */
  readonly traceId: string;
  readonly value: number;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

/** One combination of labels of a metric: a counter, a gauge, or a histogram. */
export class Series {
  readonly labels: readonly string[];
  readonly bounds: readonly number[];
  readonly counts: Float64Array;
  /** By bucket, as {@link counts}; null until a traced call is counted. */
  exemplars: (Exemplar | undefined)[] | null = null;
  value = 0;
  sum = 0;
  hidden = false;

  constructor(labels: readonly string[], bounds: readonly number[]) {
    this.labels = labels;
    this.bounds = bounds;
    this.counts = new Float64Array(bounds.length + 1);
  }

  add(amount = 1): void {
    this.value += amount;
  }

  set(value: number): void {
    this.value = value;
    this.hidden = false;
  }

  hide(): void {
    this.hidden = true;
  }

  observe(value: number, traceId?: string): void {
    this.sum += value;
    let index = 0;
    while (index < this.bounds.length && value > (this.bounds[index] as number)) index += 1;
    this.counts[index] = (this.counts[index] as number) + 1;
    if (traceId !== undefined) (this.exemplars ??= [])[index] = { traceId, value, at: Date.now() };
  }
}

/** `{a="1",b="2"}`; nothing without labels. */
export function braces(labels: readonly string[]): string {
  return labels.length === 0 ? "" : `{${labels.join(",")}}`;
}

export function escapeLabel(value: string): string {
  return value.toWellFormed().replaceAll("\\", "\\\\").replaceAll("\n", "\\n").replaceAll('"', '\\"');
}
