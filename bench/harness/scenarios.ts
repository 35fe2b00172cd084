/** The list of scenarios: one-shot programs (see figures.ts) beside the load, each run once in a sitting. */
import { fileURLToPath } from "node:url";
import { askFigures, type Figures } from "./figures.ts";
import { profileArguments, type SubjectPlace } from "./measure-subject.ts";
import type { SubjectSettings } from "./subject.ts";

export interface ScenarioEntry {
  readonly name: string;
  readonly title: string;
  /** Program under `bench/`. */
  readonly file: string;
  /** Whether it gets a fresh database of the sitting's Postgres; `logged`: one whose statements are all logged. */
  readonly database: "none" | "plain" | "logged";
  readonly full: SubjectSettings;
  readonly quick: SubjectSettings;
}

/** All scenarios, in order. */
export const SCENARIOS: readonly ScenarioEntry[] = [
  {
    name: "fans",
    title: "wide runs, engine in process",
    file: "workloads/fan-runs.ts",
    database: "plain",
    full: { rounds: 5 },
    quick: { rounds: 1 },
  },
  {
    name: "workers",
    title: "tasks that a worker does over gRPC",
    file: "workloads/worker-tasks.ts",
    database: "plain",
    full: { rounds: 3, seconds: 4 },
    quick: { rounds: 1, seconds: 1 },
  },
  {
    name: "worker-instances",
    title: "tasks of two instances, with the workers at one",
    file: "workloads/worker-instances.ts",
    database: "plain",
    full: { rounds: 3, seconds: 4 },
    quick: { rounds: 1, seconds: 2 },
  },
  {
    name: "limits",
    title: "tasks under a limit, engine in process",
    file: "workloads/limited-tasks.ts",
    database: "plain",
    full: { count: 2_000 },
    quick: { count: 200 },
  },
  {
    name: "routing",
    title: "routed tasks of a service that answers at once",
    file: "workloads/routing/routed-tasks.ts",
    database: "plain",
    full: { count: 1_000, rounds: 3 },
    quick: { count: 200, rounds: 1 },
  },
  {
    name: "budgets",
    title: "calls to models with and without budgets",
    file: "workloads/models/budgets.ts",
    database: "plain",
    full: { seconds: 8, rounds: 3 },
    quick: { seconds: 2, rounds: 1 },
  },
  {
    name: "gate-rules",
    title: "content rules of the gate",
    file: "workloads/gate/rules.ts",
    database: "none",
    full: { rounds: 400 },
    quick: { rounds: 60 },
  },
  {
    name: "start",
    title: "start to serving with the embedded store, idle memory",
    file: "workloads/service-start.ts",
    database: "none",
    full: { rounds: 3, idleSeconds: 10 },
    quick: { rounds: 1, idleSeconds: 2 },
  },
  {
    name: "idle",
    title: "a service that nobody calls",
    file: "workloads/idle-service.ts",
    database: "logged",
    full: { workers: 0, seconds: 60, settleSeconds: 65 },
    quick: { workers: 0, seconds: 6, settleSeconds: 3 },
  },
  {
    name: "idle-workers",
    title: "1,000 workers without tasks",
    file: "workloads/idle-service.ts",
    database: "logged",
    full: { workers: 1_000, seconds: 30, settleSeconds: 10 },
    quick: { workers: 100, seconds: 6, settleSeconds: 3 },
  },
  {
    name: "waiting-tasks",
    title: "1,000,000 tasks that wait for a worker",
    file: "workloads/waiting-tasks.ts",
    database: "plain",
    full: { count: 1_000_000, drained: 20_000, settleSeconds: 5 },
    quick: { count: 20_000, drained: 2_000, settleSeconds: 1 },
  },
  {
    name: "waiting",
    title: "100,000 runs that wait",
    file: "workloads/waiting-runs.ts",
    database: "plain",
    full: { count: 100_000, settleSeconds: 5 },
    quick: { count: 5000, settleSeconds: 1 },
  },
  {
    name: "restore",
    title: "a restored database with 100,000 open runs",
    file: "workloads/restored-runs.ts",
    database: "plain",
    full: { count: 100_000 },
    quick: { count: 5_000 },
  },
  {
    name: "kafka-starts",
    title: "runs that messages start",
    file: "workloads/kafka/starts.ts",
    database: "plain",
    full: { rounds: 3, runs: 30_000 },
    quick: { rounds: 1, runs: 5_000 },
  },
  {
    name: "kafka-executors",
    title: "tasks that an executor does over topics",
    file: "workloads/kafka/executors.ts",
    database: "plain",
    full: { rounds: 3, seconds: 8 },
    quick: { rounds: 1, seconds: 3 },
  },
  {
    name: "kafka-away",
    title: "Kafka away for a minute under load",
    file: "workloads/kafka/away.ts",
    database: "plain",
    full: { startsPerSecond: 200, beforeSeconds: 30, awaySeconds: 60 },
    quick: { startsPerSecond: 100, beforeSeconds: 6, awaySeconds: 8 },
  },
  {
    name: "hot-state",
    title: "the state of runs in Redis",
    file: "workloads/hot-state.ts",
    database: "plain",
    full: { rounds: 3, seconds: 4 },
    quick: { rounds: 1, seconds: 2 },
  },
  {
    name: "traced-runs",
    title: "traces of 1 % of the runs",
    file: "workloads/traced-runs.ts",
    database: "plain",
    full: { rounds: 3, seconds: 4 },
    quick: { rounds: 1, seconds: 2 },
  },
  {
    name: "disk",
    title: "space of runs in the database",
    file: "workloads/database/disk-space.ts",
    database: "plain",
    full: { count: 10_000 },
    quick: { count: 2_000 },
  },
  {
    name: "hot-tables",
    title: "small tables that change all the time",
    file: "workloads/database/hot-tables.ts",
    database: "plain",
    full: { rate: 1_000, seconds: 120, heldSeconds: 60 },
    quick: { rate: 200, seconds: 5, heldSeconds: 5 },
  },
  {
    name: "redis-space",
    title: "space of runs in Redis",
    file: "workloads/database/redis-space.ts",
    database: "plain",
    full: { count: 20_000 },
    quick: { count: 2_000 },
  },
  {
    name: "lists",
    title: "lists over 1,000,000 runs",
    file: "workloads/run-lists.ts",
    database: "plain",
    full: { count: 1_000_000, calls: 15 },
    quick: { count: 40_000, calls: 3 },
  },
];

/** Measures one scenario. Rejects if it fails. */
export async function measureScenario(entry: ScenarioEntry, quick: boolean, place: SubjectPlace): Promise<Figures> {
  const file = fileURLToPath(new URL(`../${entry.file}`, import.meta.url));
  const settings = { ...(quick ? entry.quick : entry.full), folder: place.folder };
  if (entry.database === "none") return askFigures(file, settings, profileArguments(place, entry.name));
  const { postgres } = place;
  const database = `scenario_${entry.name.replaceAll("-", "_")}`;
  const databaseUrl = await postgres.freshDatabase(database);
  if (entry.database === "logged") await postgres.query(`ALTER DATABASE ${database} SET log_statement = 'all'`);
  try {
    return await askFigures(
      file,
      { ...settings, databaseUrl, logFile: postgres.logFile },
      profileArguments(place, entry.name),
    );
  } finally {
    await postgres.query(`DROP DATABASE ${database} WITH (FORCE)`);
  }
}
