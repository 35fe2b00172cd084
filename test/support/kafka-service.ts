/** The service on a real broker and a real database, for one test file. */
import { randomBytes } from "node:crypto";
import { expect, inject, onTestFinished } from "vitest";
import { eventually } from "./eventually.ts";
import { type Executor, type ExecutorHandler, openProducer, startExecutor } from "./executor.ts";
import { createTopics } from "./kafka-broker.ts";
import { createTestDatabase, type TestDatabase } from "./postgres.ts";
import { type ServeProcess, startServeForTest } from "./serve-process.ts";
import { createTemporaryFolder } from "./temporary-folder.ts";

/** The service's own topics. */
const TOPICS = ["flow_runs", "task_queue", "task_done", "task_failed", "dead_letter_queue"];

/** A database, topics with a prefix of their own, and a producer. */
export interface KafkaService {
  readonly broker: string;
  readonly prefix: string;
  readonly database: TestDatabase["database"];
  /** What an instance needs to use them. */
  readonly env: Readonly<Record<string, string>>;
  /** Starts an instance. */
  serve(env?: Readonly<Record<string, string>>): Promise<ServeProcess>;
  /** Does the tasks of these runs; messages of earlier tests may come again. */
  execute(runIds: ReadonlySet<string>, handler: ExecutorHandler): Promise<Executor>;
  /** Sends messages to one of the service's topics, keyed by their run. */
  send(topic: string, ...values: readonly object[]): Promise<void>;
  /** How many of these runs are in each state. */
  statesOf(runIds: Iterable<string>): Promise<Record<string, number>>;
  /** Resolves when all of these runs are completed. */
  untilCompleted(runIds: Iterable<string>, timeoutMs?: number): Promise<void>;
  close(): Promise<void>;
}

/** Creates the database and the topics; `at` is the shared broker by default. */
export async function openKafkaService(at: string = inject("kafka"), partitions = 4): Promise<KafkaService> {
  const { url, database } = await createTestDatabase();
  const prefix = `t${randomBytes(4).toString("hex")}_`;
  await createTopics(
    at,
    TOPICS.map((name) => prefix + name),
    partitions,
  );
  const producer = openProducer(at);
  const own = {
    DATABASE_URL: url,
    ORCHESTRATOR_KAFKA_BOOTSTRAP_SERVERS: `["${at}"]`,
    ORCHESTRATOR_KAFKA_TOPIC_PREFIX: prefix,
    ORCHESTRATOR_KAFKA_AUTO_OFFSET_RESET: "earliest",
  };
  const service: KafkaService = {
    broker: at,
    prefix,
    database,
    env: own,
    serve: (env = {}) => startServeForTest({ folder: createTemporaryFolder(), env: { ...own, ...env } }),
    async execute(runIds, handler) {
      const executor = await startExecutor(at, prefix, handler, ({ run_id }) => runIds.has(run_id));
      onTestFinished(() => executor.stop());
      return executor;
    },
    async send(topic, ...values) {
      await producer.send({
        messages: values.map((value) => ({
          topic: prefix + topic,
          key: String((value as { readonly run_id?: unknown }).run_id ?? ""),
          value: JSON.stringify(value),
        })),
      });
    },
    async statesOf(runIds) {
      const { rows } = await database.reads.query<{ state: string }>(
        "SELECT state FROM orchestrator.runs WHERE run_id = ANY($1)",
        [[...runIds]],
      );
      const counts: Record<string, number> = {};
      for (const { state } of rows) counts[state] = (counts[state] ?? 0) + 1;
      return counts;
    },
    async untilCompleted(runIds, timeoutMs = 60_000) {
      const all = [...runIds];
      await eventually(async () => expect(await service.statesOf(all)).toEqual({ COMPLETED: all.length }), {
        timeoutMs,
        intervalMs: 100,
      });
    },
    close: () => producer.close(true),
  };
  return service;
}

/** A message that starts a run of a flow with these tasks, in the product's own format. */
export function flowRunRequest(runId: string, tasks: readonly object[], input: object = {}): object {
  return {
    event_type: "flow_run_requested",
    run_id: runId,
    flow_id: "flow",
    input,
    flow_definition: { name: "Flow", workflow: { tasks } },
  };
}
