/** What the tests of seed 000 share: a service with the variables of its document, and foreign clients. */
import { execFileSync, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { afterAll, beforeAll, inject } from "vitest";
import { ROOT, runProgram } from "../../clients/programs.ts";
import { eventually } from "../../support/eventually.ts";
import { createTopics } from "../../support/kafka-broker.ts";
import { prepareKafkaPython } from "../../support/kafka-python.ts";
import { createTestDatabase } from "../../support/postgres.ts";
import { type ServeProcess, startServe } from "../../support/serve-process.ts";
import { createFileFolder } from "../../support/temporary-folder.ts";

/** The topics of the document, whose names no other test uses. */
const TOPICS = ["flow_runs", "task_queue", "task_done", "task_failed", "dead_letter_queue"];

/** A message of `task_queue`. */
export interface TaskMessage {
  readonly value: Readonly<Record<string, unknown>>;
  /** Milliseconds since the epoch. */
  readonly sent_at: number;
}

export interface Rows {
  /** Types of the columns, as the driver names them. */
  readonly types: Readonly<Record<string, string>>;
  readonly rows: readonly Readonly<Record<string, unknown>>[];
}

/** Values of metrics by name and labels: `orchestrator_tasks_completed_total{status="FAILED"}`. */
export type Samples = ReadonlyMap<string, number>;

export interface SeedBed {
  readonly broker: string;
  readonly databaseUrl: string;
  readonly service: ServeProcess;
  /** Starts the service, with more lines of shell before it. */
  start(lines?: string): Promise<ServeProcess>;
  /** Starts it with the variables of the document's container alone. */
  startContained(): Promise<ServeProcess>;
  /** A run that was asked for before the service was started for the first time. */
  readonly early: string;
  /** Sends a flow run event; returns its run id. */
  request(more: object): Promise<string>;
  /** Waits until a run has ended; returns its row. */
  ended(runId: string): Promise<Rows["rows"][number]>;
  /** The first messages of a topic with this key. */
  read(topic: string, key: string, count: number): Promise<readonly TaskMessage[]>;
  query(sql: string, ...parameters: string[]): Promise<Rows>;
  curl(...args: string[]): string;
  metrics(): Samples;
  python(program: string, ...args: string[]): Promise<string>;
}

/** Variables of the document, as a shell passes them: it takes the quotes away. */
function variablesOf(broker: string, databaseUrl: string, redisPort: number): string {
  const redis = `ORCHESTRATOR_REDIS_URL="redis://localhost:${redisPort}"\nORCHESTRATOR_REDIS_KEY_TTL=3600`;
  return `${redisPort === 0 ? "" : redis}
ORCHESTRATOR_KAFKA_BOOTSTRAP_SERVERS=["${broker}"]
ORCHESTRATOR_KAFKA_CONSUMER_GROUP="orchestrator-service"
ORCHESTRATOR_KAFKA_AUTO_OFFSET_RESET="latest"
ORCHESTRATOR_DATABASE_URL="${databaseUrl}"
ORCHESTRATOR_FLOW_REGISTRY_URL="${databaseUrl}"
ORCHESTRATOR_MAX_RETRY_ATTEMPTS=3
ORCHESTRATOR_RETRY_BACKOFF_BASE=2
ORCHESTRATOR_TASK_TIMEOUT_DEFAULT=300
ORCHESTRATOR_METRICS_ENABLED=true
ORCHESTRATOR_LOG_LEVEL=DEBUG
`;
}

/** Options of the container of the document; those of Redis only if there is one. */
function containedVariables(broker: string, databaseUrl: string, redisPort: number): string {
  return `${redisPort === 0 ? "" : `ORCHESTRATOR_REDIS_URL="redis://localhost:${redisPort}"`}
ORCHESTRATOR_KAFKA_BOOTSTRAP_SERVERS="${broker}"
ORCHESTRATOR_DATABASE_URL="${databaseUrl}"
`;
}

/** The variables that lines of shell set. */
function evaluate(lines: string): Record<string, string> {
  const script = `set -a\n${lines}\nenv -0`;
  const printed = execFileSync("sh", ["-c", script], { encoding: "utf8", env: { PATH: process.env.PATH } });
  const pairs = printed.split("\0").flatMap((line) => {
    const [, name = "", value = ""] = /^(\w+)=(.*)$/s.exec(line) ?? [];
    return name.startsWith("ORCHESTRATOR_") ? [[name, value] as const] : [];
  });
  return Object.fromEntries(pairs);
}

/** Opens the bed in the body of a test file. */
export async function createSeedBed(): Promise<SeedBed> {
  const broker = inject("kafka");
  const redisPort = inject("redis");
  const { url } = await createTestDatabase();
  const folder = createFileFolder();
  const program = (name: string): string => join(ROOT, "test/seeds/000", name);
  let interpreter = "";
  let service: ServeProcess | undefined;
  let stopExecutor = (): void => {};
  let early = "";

  const bed: SeedBed = {
    broker,
    databaseUrl: url,
    get service() {
      if (service === undefined) throw new Error("the service is not started");
      return service;
    },
    async start(lines = "") {
      service = await startServe({ folder, env: evaluate(variablesOf(broker, url, redisPort) + lines) });
      return service;
    },
    async startContained() {
      service = await startServe({ folder, env: evaluate(containedVariables(broker, url, redisPort)) });
      return service;
    },
    get early() {
      return early;
    },
    async request(more) {
      const run_id = randomUUID();
      const event = {
        ...{ event_type: "flow_run_requested", run_id, correlation_id: "c-1", flow_id: "seed" },
        ...{ tenant_id: "default", user_id: "user-1", input: {}, execution_context: { source: "test" } },
        ...more,
      };
      await bed.python("kafka.py", "send", broker, "flow_runs", run_id, JSON.stringify(event));
      return run_id;
    },
    ended: (runId) =>
      eventually(
        async () => {
          const { rows } = await bed.query("SELECT * FROM flow_run_history WHERE run_id = %s", runId);
          if (rows[0]?.completed_at == null) throw new Error(`${runId} has not ended: ${JSON.stringify(rows)}`);
          return rows[0];
        },
        { timeoutMs: 60_000, intervalMs: 100 },
      ),
    async read(topic, key, count) {
      return JSON.parse(await bed.python("kafka.py", "read", broker, topic, key, String(count)));
    },
    async query(sql, ...parameters) {
      return JSON.parse(await bed.python("rows.py", url, sql, ...parameters));
    },
    curl: (...args) => execFileSync("curl", ["--silent", "--show-error", ...args], { encoding: "utf8" }),
    metrics() {
      const text = bed.curl("--fail", `http://localhost:${bed.service.metricsPort}/metrics`);
      return new Map(
        [...text.matchAll(/^([a-z_]+(?:\{.*\})?) (\S+)$/gm)].map(([, name = "", value]) => [name, Number(value)]),
      );
    },
    python: (name, ...args) => runProgram(interpreter, [program(name), ...args]),
  };

  beforeAll(async () => {
    interpreter = await prepareKafkaPython();
    await createTopics(broker, TOPICS);
    early = await bed.request({ flow_id: "nobody" });
    await bed.start();
    // A topic that was never read begins at its end: what is sent before is not for us.
    await eventually(() => {
      const begun = bed.service.output().match(/reading a partition/g)?.length ?? 0;
      if (begun < 12) throw new Error(`${begun} partitions are read`);
    });
    const child = spawn(interpreter, [program("executor.py"), broker], { stdio: ["ignore", "inherit", "inherit"] });
    stopExecutor = () => child.kill("SIGKILL");
  }, 240_000);
  afterAll(async () => {
    stopExecutor();
    await service?.stop("SIGKILL");
  });
  return bed;
}
