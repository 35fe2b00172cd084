/** A strict reader of OpenMetrics 1.0, as far as the service writes it: anything else is an error with its line. */

/** A sample that has an exemplar. */
export interface ExemplarSample {
  /** With `_bucket`. */
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly exemplar: { readonly labels: Readonly<Record<string, string>>; readonly value: number; readonly at: number };
}

/** What a text says. */
export interface OpenMetricsText {
  /** Kinds of families by name. */
  readonly families: ReadonlyMap<string, string>;
  /** Values by name and labels, as they are written. */
  readonly samples: ReadonlyMap<string, number>;
  readonly exemplars: readonly ExemplarSample[];
}

const SUFFIXES: Readonly<Record<string, readonly string[]>> = {
  counter: ["_total"],
  gauge: [""],
  histogram: ["_bucket", "_sum", "_count"],
};

const NAME = "[a-zA-Z_:][a-zA-Z0-9_:]*";
const TEXT = String.raw`(?:[^"\\\n]|\\[\\"n])*`;
const LABELS = String.raw`\{((?:[a-zA-Z_][a-zA-Z0-9_]*="${TEXT}"(?:,(?=[a-z]))?)*)\}`;
const NUMBER = String.raw`[+-]?(?:\d+(?:\.\d+)?(?:e[+-]?\d+)?|Inf)|NaN`;
const HEAD = new RegExp(`^# (HELP|TYPE) (${NAME}) (${TEXT})$`);
const SAMPLE = new RegExp(`^(${NAME})(?:${LABELS})? (${NUMBER})(?: # ${LABELS} (${NUMBER}) (\\d+(?:\\.\\d+)?))?$`);

/** Longest labels of an exemplar, characters of names and values. */
const EXEMPLAR_LENGTH = 128;

/** Reads a text. */
export function readOpenMetrics(text: string): OpenMetricsText {
  const families = new Map<string, string>();
  const samples = new Map<string, number>();
  const exemplars: ExemplarSample[] = [];
  let helped = "";
  let current = "";
  let buckets = { key: "", bound: Number.NEGATIVE_INFINITY, total: 0 };
  const lines = text.split("\n");
  if (lines.pop() !== "" || lines.pop() !== "# EOF") throw new Error("the text does not end with # EOF");
  for (const line of lines) {
    const fault = (why: string): Error => new Error(`${why}: ${line}`);
    const head = HEAD.exec(line);
    if (head !== null) {
      const [, what, name = "", value = ""] = head;
      if (what === "HELP") helped = name;
      else if (name !== helped || families.has(name) || SUFFIXES[value] === undefined) throw fault("no such family");
      else families.set((current = name), value);
      continue;
    }
    const [, name, labelText = "", valueText = "", marks, markValue, markAt] = SAMPLE.exec(line) ?? [];
    if (name === undefined) throw fault("neither a head nor a sample");
    const kind = families.get(current) ?? "";
    const suffix = name.slice(current.length);
    if (!name.startsWith(current) || SUFFIXES[kind]?.includes(suffix) !== true) throw fault(`no sample of ${current}`);
    const key = `${name}{${labelText}}`;
    if (samples.has(key)) throw fault("a second time");
    const value = toNumber(valueText);
    samples.set(key, value);
    const labels = toLabels(labelText);
    const { le, ...others } = labels;
    if ((le !== undefined) !== (suffix === "_bucket")) throw fault("a bound where none belongs, or none");
    let below = Number.NEGATIVE_INFINITY;
    if (le !== undefined) {
      if (!/^(\+Inf|\d+\.\d+)$/.test(le)) throw fault("a bound that is no float");
      const of = `${current} ${JSON.stringify(others)}`;
      if (buckets.key !== of) buckets = { key: of, bound: Number.NEGATIVE_INFINITY, total: 0 };
      if (toNumber(le) <= buckets.bound || value < buckets.total) throw fault("buckets do not add up");
      below = buckets.bound;
      Object.assign(buckets, { bound: toNumber(le), total: value });
    }
    if (suffix === "_count" && kind === "histogram")
      if (buckets.bound !== Number.POSITIVE_INFINITY || buckets.total !== value) throw fault("buckets do not add up");
    if (marks === undefined) continue;
    const exemplar = { labels: toLabels(marks), value: toNumber(markValue ?? ""), at: Number(markAt) };
    if (Object.entries(exemplar.labels).flat().join("").length > EXEMPLAR_LENGTH) throw fault("a long exemplar");
    if (le === undefined || exemplar.value <= below || exemplar.value > toNumber(le)) throw fault("a wrong bucket");
    exemplars.push({ name, labels, exemplar });
  }
  return { families, samples, exemplars };
}

function toNumber(text: string): number {
  return Number(text.replace("Inf", "Infinity"));
}

function toLabels(text: string): Readonly<Record<string, string>> {
  const found = [...text.matchAll(new RegExp(`([a-zA-Z_][a-zA-Z0-9_]*)="(${TEXT})"`, "g"))];
  return Object.fromEntries(found.map(([, name = "", value = ""]) => [name, value]));
}
