/**
 * Runs that come from a topic, with tasks that executors do over other topics, on a real broker and a real database.
 */
import { randomBytes, randomUUID } from "node:crypto";
import { afterAll, expect, inject, onTestFinished, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import { type Executor, type ExecutorHandler, openProducer, startExecutor } from "../support/executor.ts";
import { createTopics } from "../support/kafka-broker.ts";
import { createTestDatabase } from "../support/postgres.ts";
import { type ServeProcess, startServeForTest } from "../support/serve-process.ts";
import { createTemporaryFolder } from "../support/temporary-folder.ts";

const broker = inject("kafka");
const { url, database } = await createTestDatabase();
const prefix = `t${randomBytes(4).toString("hex")}_`;
await createTopics(
  broker,
  ["flow_runs", "task_queue", "task_done", "task_failed", "dead_letter_queue"].map((name) => prefix + name),
);
const producer = openProducer(broker);
afterAll(() => producer.close(true));

function serve(port?: number): Promise<ServeProcess> {
  return startServeForTest({
    folder: createTemporaryFolder(),
    ...(port === undefined ? {} : { port }),
    env: {
      DATABASE_URL: url,
      ORCHESTRATOR_KAFKA_BOOTSTRAP_SERVERS: `["${broker}"]`,
      ORCHESTRATOR_KAFKA_TOPIC_PREFIX: prefix,
      ORCHESTRATOR_KAFKA_AUTO_OFFSET_RESET: "earliest",
    },
  });
}

/** Does the tasks of these runs; messages of earlier tests may come again. */
async function execute(runIds: readonly string[], handler: ExecutorHandler): Promise<Executor> {
  const executor = await startExecutor(broker, prefix, handler, ({ run_id }) => runIds.includes(run_id));
  onTestFinished(() => executor.stop());
  return executor;
}

const SHORT = {
  id: "short",
  name: "Short",
  tasks: [
    { id: "first", handler: "add", inputs: { n: 1 }, max_retries: 2, timeout: 60 },
    { id: "second", handler: "add", depends_on: ["first"], max_retries: 2, timeout: 60 },
  ],
};

const request = (runId: string, more: object = {}): object => ({
  event_type: "flow_run_requested",
  run_id: runId,
  correlation_id: "c",
  flow_id: "short",
  tenant_id: "default",
  user_id: "u",
  input: {},
  flow_definition: SHORT,
  execution_context: { from: "test" },
  ...more,
});

async function send(topic: string, ...values: (object | string)[]): Promise<void> {
  await producer.send({
    messages: values.map((value) => ({
      topic: prefix + topic,
      key: "run_id" in Object(value) ? String((value as { run_id: unknown }).run_id) : "",
      value: typeof value === "string" ? value : JSON.stringify(value),
    })),
  });
}

async function stateOf(runIds: readonly string[]): Promise<Record<string, number>> {
  const { rows } = await database.reads.query<{ state: string }>(
    "SELECT state FROM orchestrator.runs WHERE run_id = ANY($1)",
    [runIds],
  );
  const counts: Record<string, number> = {};
  for (const { state } of rows) counts[state] = (counts[state] ?? 0) + 1;
  return counts;
}

async function untilCompleted(runIds: readonly string[]): Promise<void> {
  await eventually(async () => expect(await stateOf(runIds)).toEqual({ COMPLETED: runIds.length }), {
    timeoutMs: 60_000,
    intervalMs: 100,
  });
}

test("a run from a message goes to executors, who fail and succeed", async () => {
  await serve();
  const runId = randomUUID();
  const executor = await execute([runId], async ({ attempt, task_id, inputs }) => {
    if (task_id === "second" && attempt === 0) throw new Error("not yet");
    return { got: inputs };
  });
  await send("flow_runs", request(runId, { extra: 1 }));
  await untilCompleted([runId]);
  const context = { from: "test", extra: 1 };
  const own = { run_id: runId, handler: "add", correlation_id: "c", tenant_id: "default", user_id: "u" };
  const rest = { ...own, max_retries: 2, timeout: 60, execution_context: context, fencing_token: expect.any(Number) };
  const inputs = { first: { got: { n: 1 } } };
  expect(executor.taken).toEqual([
    { ...rest, task_id: "first", attempt: 0, inputs: { n: 1 } },
    { ...rest, task_id: "second", attempt: 0, inputs },
    { ...rest, task_id: "second", attempt: 1, inputs },
  ]);
  const { rows } = await database.reads.query("SELECT * FROM public.flow_run_history WHERE run_id = $1", [runId]);
  expect(rows[0]).toMatchObject({
    flow_id: "short",
    user_id: "u",
    correlation_id: "c",
    status: "COMPLETED",
    execution_context: context,
  });
  await eventually(async () => {
    expect((await database.reads.query("SELECT 1 FROM orchestrator.outbox")).rows).toEqual([]);
  });
});

test("messages that nobody can understand are rejected, and the next one passes", async () => {
  await serve();
  const runId = randomUUID();
  await execute([runId], async () => "done");
  const before = (await database.reads.query("SELECT 1 FROM orchestrator.rejected_messages")).rows.length;
  await send(
    "flow_runs",
    "no json",
    "[]",
    '{"run_id": "a", "flow_id": "nobody has registered it"}',
    { ...request(randomUUID()), run_id: "a b" },
    { ...request(randomUUID()), input: 3 },
    { ...request(randomUUID()), event_type: "something_else" },
    { ...request(randomUUID()), flow_definition: { id: "short", tasks: [{ id: "x", handler: 3 }] } },
    request(randomUUID(), { user_id: "NUL\u0000" }),
    request(runId),
  );
  await send("task_done", "no json", { task_id: "first" }, { run_id: runId, task_id: "nowhere", output: 1 });
  await untilCompleted([runId]);
  await eventually(async () => {
    const { rows } = await database.reads.query<{ topic: string; reason: string }>(
      "SELECT topic, reason FROM orchestrator.rejected_messages",
    );
    expect(rows.length - before).toBe(11);
  });
  const { rows } = await database.reads.query<{ value: Buffer }>(
    "SELECT value FROM orchestrator.rejected_messages WHERE value = $1",
    [Buffer.from("no json")],
  );
  expect(rows).toHaveLength(2);
});

test("a killed service loses no run and repeats no result", async () => {
  const service = await serve();
  const results = new Map<string, Set<number>>();
  const runIds = Array.from({ length: 200 }, () => randomUUID());
  const executor = await execute(runIds, async ({ run_id, task_id, fencing_token }) => {
    const key = `${run_id} ${task_id}`;
    results.set(key, (results.get(key) ?? new Set()).add(fencing_token));
    return fencing_token;
  });
  await send("flow_runs", ...runIds.map((runId) => request(runId)));
  await eventually(() => expect(executor.taken.length).toBeGreaterThan(20), { timeoutMs: 30_000, intervalMs: 5 });
  await service.stop("SIGKILL");
  const next = await serve();
  await eventually(() => expect(executor.taken.length).toBeGreaterThan(150), { timeoutMs: 60_000, intervalMs: 5 });
  await next.stop("SIGKILL");
  await serve();
  await untilCompleted(runIds);
  // No attempt was made twice: copies of a message carry the same token.
  expect([...results.values()].every((tokens) => tokens.size === 1)).toBe(true);
  expect(results.size).toBe(2 * runIds.length);
});

test("two instances share the topics: each run goes on at its owner, wherever its messages are read", async () => {
  const one = await serve();
  await serve();
  const runIds = Array.from({ length: 100 }, () => randomUUID());
  const executor = await execute(runIds, async ({ attempt, task_id }) => {
    if (task_id === "second" && attempt === 0) throw new Error("not yet");
    return "done";
  });
  await eventually(async () => {
    const { rows } = await database.reads.query(
      "SELECT count(DISTINCT instance_id) AS owners FROM orchestrator.shard_leases WHERE instance_id IS NOT NULL",
    );
    expect(rows).toEqual([{ owners: 2 }]);
  });
  // Each message twice: a sender that is not sure sends again.
  await send("flow_runs", ...[...runIds, ...runIds].map((runId) => request(runId)));
  await eventually(() => expect(executor.taken.length).toBeGreaterThan(50), { timeoutMs: 30_000, intervalMs: 5 });
  await one.stop();
  await untilCompleted(runIds);
  const attempts = new Set(executor.taken.map(({ run_id, task_id, attempt }) => `${run_id} ${task_id} ${attempt}`));
  expect(attempts.size).toBe(3 * runIds.length);
  expect((await database.reads.query("SELECT 1 FROM orchestrator.starts")).rows).toEqual([]);
});

test("answers count once, and not for another attempt", async () => {
  await serve();
  const runId = randomUUID();
  let release: (value: unknown) => void = () => {};
  const executor = await execute([runId], ({ task_id, attempt }) => {
    if (task_id === "second" || attempt > 0) return Promise.resolve("done");
    return new Promise((_, reject) => {
      release = reject;
    });
  });
  await send("flow_runs", request(runId));
  await eventually(() => expect(executor.taken).toHaveLength(1));
  const failed = { run_id: runId, task_id: "first", error: "no", execution_time_ms: 1 };
  await send("task_failed", { ...failed, attempt: 1 }, { ...failed, fencing_token: 1 });
  release("first answer");
  // The same attempt fails four times more: one retry is all that comes of it.
  await send("task_failed", failed, failed, failed, failed);
  await untilCompleted([runId]);
  const { rows } = await database.reads.query<{ attempts: number }>(
    "SELECT attempts FROM public.task_execution_history WHERE run_id = $1 AND task_id = 'first'",
    [runId],
  );
  expect(rows).toEqual([{ attempts: 2 }]);
});
