/** The list of subjects with their programs and settings. */
import { availableParallelism } from "node:os";
import type { SubjectSettings } from "./subject.ts";

/**
 * `limit` the bare write loop, `peer` a system for comparison, `ours` this service; `aside` is shown but no bar uses
 * it.
 */
export type SubjectRole = "limit" | "peer" | "ours" | "aside";

/** One subject. */
export interface SubjectEntry {
  readonly name: string;
  readonly title: string;
  readonly role: SubjectRole;
  /** Program under `bench/`. */
  readonly file: string;
  /** Whether its state is in the sitting's Postgres: then it gets a fresh database and its commits are counted. */
  readonly usesPostgres: boolean;
  readonly settings: SubjectSettings;
  /** Calls in flight in the load windows, besides the run alone. */
  readonly inFlight: readonly number[];
  /** Whether a single call at a time is measured too. */
  readonly alone: boolean;
}

/** All subjects, in the order of the first round. */
export const SUBJECTS: readonly SubjectEntry[] = [
  {
    name: "write-loop",
    title: "bare write loop",
    role: "limit",
    file: "write-loop.ts",
    usesPostgres: true,
    // Two connections with half of the runs each: one batch is written while the other fills (a quarter more than with
    // one connection).
    settings: { connections: 2 },
    inFlight: [200, 1000],
    alone: true,
  },
  {
    name: "engine",
    title: "our engine, in process",
    role: "ours",
    file: "workloads/engine-runs.ts",
    usesPostgres: true,
    settings: {},
    inFlight: [200, 1000],
    alone: true,
  },
  {
    name: "grpc",
    title: "our service, unary StartRun with wait",
    role: "ours",
    file: "workloads/grpc-runs.ts",
    usesPostgres: true,
    settings: { batch: 1 },
    inFlight: [200],
    alone: true,
  },
  {
    name: "grpc-batch",
    title: "our service, BatchStartRuns of 100, 10 calls in flight",
    role: "ours",
    file: "workloads/grpc-runs.ts",
    usesPostgres: true,
    settings: { batch: 100 },
    inFlight: [10],
    alone: false,
  },
  {
    name: "ghz",
    title: "our service, unary StartRun with wait, client ghz",
    role: "ours",
    file: "workloads/ghz-runs.ts",
    usesPostgres: true,
    settings: {},
    inFlight: [200],
    alone: true,
  },
  {
    name: "restate",
    title: "Restate",
    role: "peer",
    file: "peers/restate.ts",
    usesPostgres: false,
    // As many partitions as cores: the default of 24 halves the rate of a small machine (620 instead of 1,290 runs/s on
    // 2 cores).
    settings: { partitions: availableParallelism() },
    inFlight: [200],
    alone: true,
  },
  {
    name: "restate-default",
    title: "Restate, 24 partitions (its default)",
    role: "aside",
    file: "peers/restate.ts",
    usesPostgres: false,
    settings: { partitions: 24 },
    inFlight: [200],
    alone: true,
  },
  {
    name: "dbos",
    title: "DBOS",
    role: "peer",
    file: "peers/dbos.ts",
    usesPostgres: true,
    // Twice the default pool; 40 and 80 are slower. Direct calls are as fast as starting and awaiting the handle.
    settings: { poolSize: 20, call: "start" },
    inFlight: [200],
    alone: true,
  },
  {
    name: "langgraph",
    title: "LangGraph, Postgres saver",
    role: "peer",
    file: "peers/langgraph.ts",
    usesPostgres: true,
    settings: { poolSize: 20, durability: "sync" },
    inFlight: [200],
    alone: true,
  },
  {
    name: "langgraph-async",
    title: "LangGraph, Postgres saver, durability async (result not yet durable when the next step begins)",
    role: "aside",
    file: "peers/langgraph.ts",
    usesPostgres: true,
    settings: { poolSize: 20, durability: "async" },
    inFlight: [200],
    alone: true,
  },
];
