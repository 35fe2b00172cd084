/** Flows of a registry that somebody else keeps: read from its table, for messages that name them. */
import { randomBytes, randomUUID } from "node:crypto";
import { afterAll, expect, inject, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import { openProducer, startExecutor } from "../support/executor.ts";
import { createTopics } from "../support/kafka-broker.ts";
import { createTestDatabase } from "../support/postgres.ts";
import { startServeForTest } from "../support/serve-process.ts";
import { createTemporaryFolder } from "../support/temporary-folder.ts";

const broker = inject("kafka");
const { url, database } = await createTestDatabase();
const { url: registryUrl, database: registry } = await createTestDatabase({ empty: true });
const prefix = `t${randomBytes(4).toString("hex")}_`;
await createTopics(
  broker,
  ["flow_runs", "task_queue", "task_done", "task_failed", "dead_letter_queue"].map((name) => prefix + name),
);
const producer = openProducer(broker);
afterAll(() => producer.close(true));

const serve = () =>
  startServeForTest({
    folder: createTemporaryFolder(),
    env: {
      DATABASE_URL: url,
      ORCHESTRATOR_KAFKA_BOOTSTRAP_SERVERS: broker,
      ORCHESTRATOR_KAFKA_TOPIC_PREFIX: prefix,
      ORCHESTRATOR_KAFKA_AUTO_OFFSET_RESET: "earliest",
      ORCHESTRATOR_FLOW_REGISTRY_URL: registryUrl,
      ORCHESTRATOR_FLOW_REGISTRY_TABLE: "public.flows",
    },
  });

async function request(flowId: string): Promise<string> {
  const run_id = randomUUID();
  const value = JSON.stringify({ run_id, flow_id: flowId, input: { n: 1 } });
  await producer.send({ messages: [{ topic: `${prefix}flow_runs`, key: run_id, value }] });
  return run_id;
}

async function versionOf(runId: string): Promise<string> {
  const { rows } = await database.reads.query<{ state: string; version: string }>(
    "SELECT state, version FROM orchestrator.runs WHERE run_id = $1",
    [runId],
  );
  expect(rows).toMatchObject([{ state: "COMPLETED" }]);
  return rows[0]?.version ?? "";
}

test("the latest version of a flow that is not registered here is taken from there; messages wait while it is away", async () => {
  const service = await serve();
  await registry.journal.query("DROP TABLE IF EXISTS flows");
  // There is no table yet: the registry is away.
  const runId = await request("greet");
  // Cause: what was said while the registry was left alone was kept for a minute.
  await eventually(() => expect(service.output()).toContain("registry of flows cannot be read"), { timeoutMs: 30_000 });
  const flow = (handler: string) => `'${JSON.stringify({ id: "greet", tasks: [{ id: "t", handler }] })}'`;
  // One transaction: it may be read at any time.
  await registry.journal.query(`CREATE TABLE flows (flow_id text, version text, definition jsonb);
    INSERT INTO flows VALUES
      ('greet', '9', ${flow("old")}), ('greet', '10', ${flow("new")}), ('greet', '1', ${flow("older")})`);
  const executor = await startExecutor(broker, prefix, async () => "done");
  try {
    await eventually(async () => expect(await versionOf(runId)).toMatch(/^inline-/), { timeoutMs: 30_000 });
    expect(executor.taken).toMatchObject([{ run_id: runId, handler: "new" }]);
  } finally {
    await executor.stop();
  }
});

test("a flow that is registered here runs as it is here", async () => {
  const service = await serve();
  await registry.journal.query("INSERT INTO flows VALUES ('ours', '1', 'null')");
  const source = JSON.stringify({
    id: "ours",
    version: "1",
    variables: [{ name: "n" }],
    workflow: { tasks: [{ id: "t", type: "noop" }] },
  });
  const registered = await fetch(`http://${service.address}/v1/flows`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ source }),
  });
  expect(registered.status, await registered.text()).toBe(200);
  const runId = await request("ours");
  await eventually(async () => expect(await versionOf(runId)).toBe("1"), { timeoutMs: 30_000 });
});
