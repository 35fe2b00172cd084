/** Results of one sitting: medians over the rounds, the best peer, the limit. */
import type { CpuParts, MeasuredLoad } from "./ask-subject.ts";
import type { Figures } from "./figures.ts";
import { median } from "./load.ts";
import type { SubjectSample, WindowPlan } from "./measure-subject.ts";
import type { SubjectEntry } from "./subjects.ts";

/** All measurements of a sitting. */
export interface Sitting {
  readonly subjects: readonly SubjectEntry[];
  readonly samples: ReadonlyMap<string, readonly SubjectSample[]>;
  readonly scenarios: ReadonlyMap<string, Figures>;
  /** Subjects and scenarios that failed or were skipped, with the reason. */
  readonly missing: ReadonlyMap<string, string>;
  /** Names of a partial sitting; undefined: everything was to be measured. */
  readonly only: readonly string[] | undefined;
  readonly rounds: number;
  readonly quick: boolean;
  readonly plan: WindowPlan;
  readonly postgresVersion: string;
  readonly postgresSettings: Readonly<Record<string, string>>;
}

/** Medians of one subject in one window. */
export interface Row {
  readonly subject: SubjectEntry;
  /** Calls in flight; 1 is the run alone. */
  readonly inFlight: number;
  readonly runsPerSecond: number;
  /** Half the distance between the slowest and the fastest round, as a share of the median. */
  readonly spread: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly cpuSecondsPerThousand: number;
  readonly cpuParts: CpuParts;
  /** Over all windows of the subject; undefined for peers with their own store. */
  readonly commitsPerRun: number | undefined;
  readonly walBytesPerRun: number | undefined;
  readonly othersShare: number;
}

/** All rows, in the order of the subjects. */
export function listRows(sitting: Sitting): readonly Row[] {
  return sitting.subjects.flatMap((subject) => {
    const samples = sitting.samples.get(subject.name) ?? [];
    return Object.keys(samples[0]?.windows ?? {}).map((inFlight) => toRow(subject, Number(inFlight), samples));
  });
}

/** Row of a subject in a window; undefined if it was not measured. */
export function findRow(rows: readonly Row[], name: string, inFlight: number): Row | undefined {
  return rows.find((row) => row.subject.name === name && row.inFlight === inFlight);
}

/** The best peer: highest rate with 200 in flight, shortest p50 of a run alone. Undefined if none was measured. */
export function findBestPeer(rows: readonly Row[], inFlight: 1 | 200): Row | undefined {
  const peers = rows.filter((row) => row.subject.role === "peer" && row.inFlight === inFlight);
  const isBetter = (a: Row, b: Row): boolean =>
    inFlight === 1 ? a.p50Ms < b.p50Ms : a.runsPerSecond > b.runsPerSecond;
  return peers.reduce<Row | undefined>(
    (best, row) => (best === undefined || isBetter(row, best) ? row : best),
    undefined,
  );
}

function toRow(subject: SubjectEntry, inFlight: number, samples: readonly SubjectSample[]): Row {
  const loads = samples.flatMap((sample) => sample.windows[inFlight] ?? []);
  const rates = loads.map((load) => load.runsPerSecond);
  const medianOf = (pick: (load: MeasuredLoad) => number): number => median(loads.map(pick));
  const rate = median(rates);
  return {
    subject,
    inFlight,
    runsPerSecond: rate,
    spread: (Math.max(...rates) - Math.min(...rates)) / 2 / rate,
    p50Ms: medianOf((load) => load.p50Ms),
    p99Ms: medianOf((load) => load.p99Ms),
    cpuSecondsPerThousand: medianOf((load) => load.cpuSecondsPerThousand),
    cpuParts: {
      driver: medianOf((load) => load.cpuParts.driver),
      servers: medianOf((load) => load.cpuParts.servers),
      postgres: medianOf((load) => load.cpuParts.postgres),
    },
    commitsPerRun: medianOfKnown(samples.map((sample) => sample.commitsPerRun)),
    walBytesPerRun: medianOfKnown(samples.map((sample) => sample.walBytesPerRun)),
    othersShare: medianOf((load) => load.othersShare),
  };
}

function medianOfKnown(values: readonly (number | undefined)[]): number | undefined {
  const known = values.filter((value) => value !== undefined);
  return known.length === 0 ? undefined : median(known);
}
