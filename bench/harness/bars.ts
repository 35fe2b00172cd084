/**
 * The bars: each compares one number of a sitting with a limit. Most are shares and ratios; a few are absolute
 * promises.
 */
import type { Figures } from "./figures.ts";
import { findBestPeer, findRow, listRows, type Row, type Sitting } from "./sitting.ts";

/** Unit in which the number is printed. */
export type BarUnit = "times" | "us" | "ms" | "MB" | "perSecond";

export interface Bar {
  readonly title: string;
  readonly unit: BarUnit;
  /** The number must not be below (`atLeast`), above (`atMost`), or must stay below (`below`) the limit. */
  readonly rule: "atLeast" | "atMost" | "below";
  readonly limit: number;
  /** The number; undefined if the sitting did not measure it. */
  readonly measure: (read: SittingReader) => number | undefined;
}

/** What bars read. */
export interface SittingReader {
  readonly row: (name: string, inFlight: number) => Row | undefined;
  readonly bestPeer: (inFlight: 1 | 200) => Row | undefined;
  readonly figure: (scenario: string, name: string) => number | undefined;
}

/** A bar with its number. */
export interface Judgement {
  readonly bar: Bar;
  readonly value: number | undefined;
  readonly verdict: "pass" | "miss" | "not measured";
}

const MEGABYTE = 2 ** 20;

const divide = (a: number | undefined, b: number | undefined): number | undefined =>
  a === undefined || b === undefined ? undefined : a / b;

/** Runs per second of ours against the best peer at 200 in flight. */
const againstPeers =
  (name: string, inFlight: number) =>
  (read: SittingReader): number | undefined =>
    divide(read.row(name, inFlight)?.runsPerSecond, read.bestPeer(200)?.runsPerSecond);

/** Runs per second of the engine against the bare write loop. */
const againstLimit =
  (inFlight: number) =>
  (read: SittingReader): number | undefined =>
    divide(read.row("engine", inFlight)?.runsPerSecond, read.row("write-loop", inFlight)?.runsPerSecond);

/** p50 of a run alone against the best peer's. */
const aloneAgainstPeers =
  (name: string) =>
  (read: SittingReader): number | undefined =>
    divide(read.row(name, 1)?.p50Ms, read.bestPeer(1)?.p50Ms);

/** All bars. */
export const BARS: readonly Bar[] = [
  {
    title: "3-step run over unary gRPC, 200 in flight ÷ best peer",
    unit: "times",
    rule: "atLeast",
    limit: 5,
    measure: againstPeers("grpc", 200),
  },
  {
    title: "the same, client ghz",
    unit: "times",
    rule: "atLeast",
    limit: 5,
    measure: againstPeers("ghz", 200),
  },
  {
    title: "the same with BatchStartRuns ÷ best peer",
    unit: "times",
    rule: "atLeast",
    limit: 10,
    measure: againstPeers("grpc-batch", 10),
  },
  {
    title: "engine in process ÷ bare write loop, 200 in flight",
    unit: "times",
    rule: "atLeast",
    limit: 0.4,
    measure: againstLimit(200),
  },
  {
    title: "engine in process ÷ bare write loop, 1,000 in flight",
    unit: "times",
    rule: "atLeast",
    limit: 0.4,
    measure: againstLimit(1000),
  },
  {
    title: "one 3-step run alone over gRPC, p50 ÷ best peer's",
    unit: "times",
    rule: "atMost",
    limit: 0.5,
    measure: aloneAgainstPeers("grpc"),
  },
  {
    title: "1,000-task fan-out, engine time per task",
    unit: "us",
    rule: "atMost",
    limit: 60,
    measure: (read) => read.figure("fans", "fanOutTaskUs"),
  },
  {
    title: "10,000-item map ÷ ten 1,000-item maps",
    unit: "times",
    rule: "atMost",
    limit: 1.3,
    measure: (read) => read.figure("fans", "mapRatio"),
  },
  {
    title: "map of 10,000 no-op worker tasks, tasks/s ÷ unary echo calls/s",
    unit: "times",
    rule: "atLeast",
    limit: 1,
    measure: (read) => read.figure("workers", "mapShare"),
  },
  {
    title: "3-step worker runs, 200 open, tasks/s ÷ unary echo calls/s",
    unit: "times",
    rule: "atLeast",
    limit: 0.8,
    measure: (read) => read.figure("workers", "stepShare"),
  },
  {
    title: "two instances with the workers at one, tasks/s ÷ one instance alone",
    unit: "times",
    rule: "atLeast",
    limit: 0.7,
    measure: (read) => read.figure("worker-instances", "pairShare"),
  },
  {
    title: "the same, CPU of the services per task",
    unit: "times",
    rule: "atMost",
    limit: 1.5,
    measure: (read) => read.figure("worker-instances", "pairCpuShare"),
  },
  {
    title: "1,000,000 tasks that wait for a worker, resident memory added",
    unit: "MB",
    rule: "atMost",
    limit: 100,
    measure: (read) => scale(read.figure("waiting-tasks", "addedBytes"), 1 / MEGABYTE),
  },
  {
    title: "the same, in a process that did not start them",
    unit: "MB",
    rule: "atMost",
    limit: 100,
    measure: (read) => scale(read.figure("waiting-tasks", "restartedBytes"), 1 / MEGABYTE),
  },
  {
    title: "first of them handed out after SIGKILL, beyond the lease time",
    unit: "ms",
    rule: "atMost",
    limit: 2000,
    measure: (read) => read.figure("waiting-tasks", "firstHandOverMs"),
  },
  {
    title: "tasks of evicted runs, tasks/s ÷ those of resident runs",
    unit: "times",
    rule: "atLeast",
    limit: 0.5,
    measure: (read) => read.figure("waiting-tasks", "evictedShare"),
  },
  {
    title: "3-step runs that messages start, runs/s ÷ BatchStartRuns",
    unit: "times",
    rule: "atLeast",
    limit: 0.4,
    measure: (read) => read.figure("kafka-starts", "startShare"),
  },
  {
    title: "tasks of an executor over Kafka, 1,000 in flight, round trips/s ÷ bare loop",
    unit: "times",
    rule: "atLeast",
    limit: 0.5,
    measure: (read) => read.figure("kafka-executors", "roundTripShare"),
  },
  {
    title: "Kafka away for 60 s, p99 of StartRun ÷ before",
    unit: "times",
    rule: "atMost",
    limit: 2,
    measure: (read) => read.figure("kafka-away", "p99Share"),
  },
  {
    title: "the messages that were left behind, sent after",
    unit: "ms",
    rule: "atMost",
    limit: 60_000,
    measure: (read) => read.figure("kafka-away", "drainMs"),
  },
  {
    title: "state of runs in Redis, unary tasks/s ÷ without",
    unit: "times",
    rule: "atLeast",
    limit: 0.9,
    measure: (read) => read.figure("hot-state", "unaryShare"),
  },
  {
    title: "the same with BatchStartRuns",
    unit: "times",
    rule: "atLeast",
    limit: 0.9,
    measure: (read) => read.figure("hot-state", "batchShare"),
  },
  {
    title: "runs/s with traces of 1 % of the runs ÷ without traces",
    unit: "times",
    rule: "atLeast",
    limit: 0.9,
    measure: (read) => read.figure("traced-runs", "onShare"),
  },
  {
    title: "the same with 10 % failing runs, in both",
    unit: "times",
    rule: "atLeast",
    limit: 0.9,
    measure: (read) => read.figure("traced-runs", "failingShare"),
  },
  {
    title: "the same with the collector away",
    unit: "times",
    rule: "atLeast",
    limit: 0.9,
    measure: (read) => read.figure("traced-runs", "awayShare"),
  },
  {
    title: "what routing adds to a call, p50 ÷ (2 commits of a journal row + 1 ms)",
    unit: "times",
    rule: "atMost",
    limit: 1,
    measure: (read) => read.figure("routing", "addedShare"),
  },
  {
    title: "routed tasks, 50 in flight, calls/s ÷ bare proxy that keeps the same record",
    unit: "times",
    rule: "atLeast",
    limit: 0.5,
    measure: (read) => read.figure("routing", "rateShare"),
  },
  {
    title: "what a limit with room adds to a task, p50",
    unit: "ms",
    rule: "atMost",
    limit: 15,
    measure: (read) => read.figure("limits", "addedP50Ms"),
  },
  {
    title: "calls to models with a budget for each run ÷ without",
    unit: "times",
    rule: "atLeast",
    limit: 0.9,
    measure: (read) => read.figure("budgets", "runShare"),
  },
  {
    title: "the same with one budget of the tenant ÷ without",
    unit: "times",
    rule: "atLeast",
    limit: 0.7,
    measure: (read) => read.figure("budgets", "tenantShare"),
  },
  {
    title: "content rules on 4 KB of prose ÷ SHA-256",
    unit: "times",
    rule: "atMost",
    limit: 5,
    measure: (read) => read.figure("gate-rules", "ordinaryShare"),
  },
  {
    title: "the same on the worst of the hostile texts",
    unit: "times",
    rule: "atMost",
    limit: 25,
    measure: (read) => read.figure("gate-rules", "worstShare"),
  },
  {
    title: "the same, 256 KB ÷ 64 times 4 KB",
    unit: "times",
    rule: "atMost",
    limit: 2,
    measure: (read) => read.figure("gate-rules", "lengthShare"),
  },
  {
    title: "100,000 waiting runs, resident memory added",
    unit: "MB",
    rule: "atMost",
    limit: 500,
    measure: (read) => scale(read.figure("waiting", "residentBytesPerRun"), 100_000 / MEGABYTE),
  },
  {
    // None, within the resolution of resident sizes of two processes.
    title: "the same runs evicted to the store",
    unit: "MB",
    rule: "atMost",
    limit: 10,
    measure: (read) => scale(read.figure("waiting", "parkedAddedBytes"), 1 / MEGABYTE),
  },
  {
    title: "statements of an idle service",
    unit: "perSecond",
    rule: "below",
    limit: 1,
    measure: (read) => read.figure("idle", "statementsPerSecond"),
  },
  {
    title: "the same with 1,000 idle workers",
    unit: "perSecond",
    rule: "below",
    limit: 1,
    measure: (read) => read.figure("idle-workers", "statementsPerSecond"),
  },
  {
    title: "start to serving, second start, embedded store",
    unit: "ms",
    rule: "atMost",
    limit: 1500,
    measure: (read) => read.figure("start", "secondStartMs"),
  },
  {
    title: "idle memory of the service process",
    unit: "MB",
    rule: "atMost",
    limit: 200,
    measure: (read) => scale(read.figure("start", "idleResidentBytes"), 1 / MEGABYTE),
  },
  {
    title: "list at 1,000,000 runs, slowest kind",
    unit: "ms",
    rule: "below",
    limit: 50,
    measure: (read) => slowest(read, ["listNewestMs", "listDeepMs", "listOldestMs", "listOldestDeepMs"]),
  },
  {
    title: "filter at 1,000,000 runs, slowest kind",
    unit: "ms",
    rule: "below",
    limit: 50,
    measure: (read) =>
      slowest(read, [
        ...["listStateMs", "listFlowMs", "listUserMs", "listLabelMs", "listRareLabelMs"],
        ...["listOldestStateMs", "listOldestFlowMs", "listOldestUserMs", "listOldestRareLabelMs"],
      ]),
  },
  {
    title: "count at 1,000,000 runs, slowest kind",
    unit: "ms",
    rule: "below",
    limit: 50,
    measure: (read) => slowest(read, ["countAllMs", "countFlowMs", "countFailedMs"]),
  },
];

/** Judges all bars. */
export function judgeBars(sitting: Sitting): readonly Judgement[] {
  const read = createReader(sitting);
  return BARS.map((bar) => {
    const value = bar.measure(read);
    return { bar, value, verdict: value === undefined ? "not measured" : holds(bar, value) ? "pass" : "miss" };
  });
}

/** Whether a number meets a bar. NaN never does. */
export function holds(bar: Pick<Bar, "rule" | "limit">, value: number): boolean {
  if (bar.rule === "atLeast") return value >= bar.limit;
  return bar.rule === "atMost" ? value <= bar.limit : value < bar.limit;
}

function createReader(sitting: Sitting): SittingReader {
  const rows = listRows(sitting);
  const figuresOf = (scenario: string): Figures => sitting.scenarios.get(scenario) ?? {};
  return {
    row: (name, inFlight) => findRow(rows, name, inFlight),
    bestPeer: (inFlight) => findBestPeer(rows, inFlight),
    figure: (scenario, name) => figuresOf(scenario)[name],
  };
}

function slowest(read: SittingReader, names: readonly string[]): number | undefined {
  const values = names.map((name) => read.figure("lists", name)).filter((value) => value !== undefined);
  return values.length === names.length ? Math.max(...values) : undefined;
}

function scale(value: number | undefined, factor: number): number | undefined {
  return value === undefined ? undefined : value * factor;
}
