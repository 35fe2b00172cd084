/** Messages that can never be sent, on a real broker. */
import { randomUUID } from "node:crypto";
import { afterAll, expect, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import { createTopics } from "../support/kafka-broker.ts";
import { flowRunRequest, openKafkaService } from "../support/kafka-service.ts";

const service = await openKafkaService();
const { broker, prefix, database } = service;
afterAll(() => service.close());

const small = `${prefix}small`;
await createTopics(broker, [small], 2, { "max.message.bytes": "2000" });

const task = (id: string, topic: string, text: string, more: object = {}) => ({
  ...{ id, type: "queue", retry_policy: { max_retries: 3 }, ...more },
  parameters: { handler: "work", topic, inputs: { text } },
});

async function errorOf(runId: string): Promise<string | undefined> {
  const { rows } = await database.reads.query<{ error_message: string }>(
    "SELECT error_message FROM public.flow_run_history WHERE run_id = $1 AND status = 'FAILED'",
    [runId],
  );
  return rows[0]?.error_message;
}

test("a task that the broker refuses fails at once, and the messages beside it are sent", async () => {
  await service.serve();
  const ok = Array.from({ length: 20 }, () => randomUUID());
  const bad = Array.from({ length: 3 }, () => randomUUID());
  const runIds = [...ok, ...bad];
  await service.execute(new Set(runIds), async () => "done");
  await service.send(
    "flow_runs",
    ...runIds.map((runId, n) =>
      flowRunRequest(
        runId,
        n < ok.length
          ? [
              { id: "tell", type: "emit", parameters: { topic: small, payload: "short" } },
              task("go", "task_queue", "x"),
            ]
          : [task("go", small, "x".repeat(3_000))],
      ),
    ),
  );
  await service.untilCompleted(ok);
  for (const runId of bad)
    await eventually(async () =>
      expect(await errorOf(runId)).toMatch(new RegExp(`^DISPATCH_REJECTED: .*${small}: .*larger than the max`)),
    );
  const { rows } = await database.reads.query("SELECT kind, settled FROM orchestrator.outbox_rejected");
  expect(rows).toEqual(bad.map(() => ({ kind: "task", settled: true })));
});

test("an event that the broker refuses is kept, and its run goes on", async () => {
  await service.serve();
  const runId = randomUUID();
  await service.send(
    "flow_runs",
    flowRunRequest(runId, [
      { id: "tell", type: "emit", parameters: { topic: small, payload: "x".repeat(3_000) } },
      { id: "after", type: "emit", depends_on: ["tell"], parameters: { topic: small, payload: "y" } },
    ]),
  );
  await service.untilCompleted([runId]);
  await eventually(async () => {
    const { rows } = await database.reads.query(
      "SELECT task_path, kind, settled FROM orchestrator.outbox_rejected WHERE run_id = $1",
      [runId],
    );
    expect(rows).toEqual([{ task_path: "tell", kind: "event", settled: true }]);
  });
});

test("a service that dies between the rejection of a message and the failure of its task fails it later", async () => {
  const first = await service.serve();
  const runId = randomUUID();
  await service.send("flow_runs", flowRunRequest(runId, [task("go", `${prefix}missing`, "x")]));
  await eventually(async () => {
    const { rows } = await database.reads.query("SELECT 1 FROM orchestrator.outbox WHERE run_id = $1", [runId]);
    expect(rows).toHaveLength(1);
  });
  await first.stop("SIGKILL");
  // What it would have left behind: the row moves in one statement.
  await database.reads.query(
    `WITH gone AS (DELETE FROM orchestrator.outbox WHERE run_id = $1 RETURNING *)
    INSERT INTO orchestrator.outbox_rejected
      (shard, id, run_id, task_path, tenant_id, kind, topic, key, payload, sequence, created_at, reason)
    SELECT shard, id, run_id, task_path, tenant_id, kind, topic, key, payload, sequence, created_at, 'no' FROM gone`,
    [runId],
  );
  await service.serve();
  await eventually(async () => expect(await errorOf(runId)).toMatch(/^DISPATCH_REJECTED: .*: no$/), {
    timeoutMs: 40_000,
  });
});
