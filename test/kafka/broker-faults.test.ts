/** What brokers do to topics and to those who read them, on a broker of its own. */
import { randomUUID } from "node:crypto";
import { Producer, stringSerializers } from "@platformatic/kafka";
import { afterAll, expect, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import type { ExecutorTask } from "../support/executor.ts";
import { administer, createTopics, startKafkaBroker } from "../support/kafka-broker.ts";
import { flowRunRequest, openKafkaService } from "../support/kafka-service.ts";

const broker = await startKafkaBroker();
afterAll(() => broker.remove());
const service = await openKafkaService(broker.address);
afterAll(() => service.close());
const { prefix, database } = service;

const TASKS = [
  { id: "first", type: "queue", parameters: { handler: "work" }, timeout: 120 },
  { id: "second", type: "queue", depends_on: ["first"], parameters: { handler: "work" }, timeout: 120 },
];

const newRuns = (count: number): string[] => Array.from({ length: count }, () => randomUUID());

const sendRuns = (runIds: readonly string[]): Promise<void> =>
  service.send("flow_runs", ...runIds.map((runId) => flowRunRequest(runId, TASKS)));

/** Notes the fencing tokens of each task. */
function countTokens() {
  const tokens = new Map<string, Set<number>>();
  const handler = async ({ run_id, task_id, fencing_token }: ExecutorTask): Promise<string> => {
    const key = `${run_id} ${task_id}`;
    tokens.set(key, (tokens.get(key) ?? new Set()).add(fencing_token));
    return "done";
  };
  return { tokens, handler };
}

test("a broker that crashes under load loses no run, and no task is attempted twice", async () => {
  await service.serve();
  const runIds = newRuns(240);
  const { tokens, handler } = countTokens();
  const executor = await service.execute(new Set(runIds), handler);
  await sendRuns(runIds);
  await eventually(() => expect(executor.taken.length).toBeGreaterThan(30), { timeoutMs: 30_000, intervalMs: 5 });
  await broker.stop("SIGKILL");
  await broker.start();
  await service.untilCompleted(runIds, 90_000);
  expect(tokens.size).toBe(2 * runIds.length);
  expect([...tokens.values()].every((ofTask) => ofTask.size === 1)).toBe(true);
});

test("partitions that are added later are read from their first message", async () => {
  await service.serve({ ORCHESTRATOR_KAFKA_AUTO_OFFSET_RESET: "latest" });
  const runIds = newRuns(8);
  await service.execute(new Set(runIds), async () => "done");
  await administer(broker.address, (admin) =>
    admin.createPartitions({ topics: [{ name: `${prefix}flow_runs`, count: 8, assignments: null }] }),
  );
  const producer = new Producer({
    ...{ clientId: "late", bootstrapBrokers: [broker.address], serializers: stringSerializers, retries: 3 },
  });
  await producer.send({
    messages: runIds.map((runId, partition) => ({
      topic: `${prefix}flow_runs`,
      partition,
      value: JSON.stringify(flowRunRequest(runId, TASKS)),
    })),
  });
  await producer.close(true);
  await service.untilCompleted(runIds);
});

test("a topic that is deleted keeps no other from being read, and is read from its beginning when it is back", async () => {
  const { output, metricsPort } = await service.serve({ ORCHESTRATOR_KAFKA_AUTO_OFFSET_RESET: "latest" });
  const before = newRuns(1);
  const after = newRuns(5);
  let release = (): void => {};
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  const executor = await service.execute(new Set([...before, ...after]), async ({ run_id }) => {
    if (before.includes(run_id)) await released;
    return "done";
  });
  await sendRuns(before);
  await eventually(() => expect(executor.taken).toHaveLength(1));
  await administer(broker.address, (admin) => admin.deleteTopics({ topics: [`${prefix}flow_runs`] }));
  await eventually(() => expect(output()).toMatch(/flow_runs.*a topic does not exist/), { timeoutMs: 20_000 });
  release();
  await service.untilCompleted(before);
  await createTopics(broker.address, [`${prefix}flow_runs`]);
  await sendRuns(after);
  await service.untilCompleted(after);
  // The log is written a moment later.
  await eventually(() => expect(output()).toMatch(/a topic was created anew/));
  const metrics = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
  expect(metrics).toMatch(new RegExp(`orchestrator_kafka_jumps_total\\{topic="${prefix}flow_runs"\\} [1-9]`));
});

test("a log that no longer has a position is read from its first message, and the position moves durably", async () => {
  const first = await service.serve();
  const before = newRuns(20);
  const mine = new Set(before);
  await service.execute(mine, async () => "done");
  await sendRuns(before);
  await service.untilCompleted(before);
  await first.stop();
  const lost = newRuns(20);
  await sendRuns(lost);
  const partitions = [0, 1, 2, 3].map((partition) => ({ partition, offset: -1n }));
  await administer(broker.address, (admin) =>
    admin.deleteRecords({ topics: [{ name: `${prefix}flow_runs`, partitions }] }),
  );
  const { output, stop } = await service.serve();
  const after = newRuns(20);
  for (const runId of after) mine.add(runId);
  await sendRuns(after);
  await service.untilCompleted(after);
  await eventually(() => expect(output()).toMatch(/the position of a partition is not in its log/));
  await stop();
  const again = await service.serve();
  const last = newRuns(5);
  for (const runId of last) mine.add(runId);
  await sendRuns(last);
  await service.untilCompleted(last);
  expect(again.output()).not.toMatch(/the position of a partition is not in its log/);
});

test("messages of aborted transactions are not read", async () => {
  await service.serve();
  const [committed, aborted, plain] = newRuns(3) as [string, string, string];
  await service.execute(new Set([committed, aborted, plain]), async () => "done");
  const producer = new Producer({
    ...{ clientId: "transactions", bootstrapBrokers: [broker.address], serializers: stringSerializers },
    ...{ idempotent: true, transactionalId: `${prefix}transactions`, retries: 10, retryDelay: 500 },
  });
  for (const runId of [aborted, committed]) {
    const transaction = await producer.beginTransaction();
    await transaction.send({
      messages: [{ topic: `${prefix}flow_runs`, partition: 0, value: JSON.stringify(flowRunRequest(runId, TASKS)) }],
    });
    await (runId === committed ? transaction.commit() : transaction.abort());
  }
  await producer.close(true);
  await sendRuns([plain]);
  await service.untilCompleted([committed, plain]);
  expect(await service.statesOf([aborted])).toEqual({});
});

test("the offsets of the consumer group rise to the ends of the topics", async () => {
  const group = `${prefix}group`;
  await service.serve({ ORCHESTRATOR_KAFKA_CONSUMER_GROUP: group });
  const runIds = newRuns(10);
  await service.execute(new Set(runIds), async () => "done");
  await sendRuns(runIds);
  await service.untilCompleted(runIds);
  await eventually(
    async () => {
      const { rows } = await database.reads.query<{ topic: string; partition: number; next_offset: string }>(
        `SELECT topic, partition, next_offset FROM orchestrator.kafka_offsets WHERE topic_id IN (
          SELECT DISTINCT ON (topic) topic_id FROM orchestrator.kafka_offsets ORDER BY topic, updated_at DESC)`,
      );
      const [found] = await administer(broker.address, (admin) => admin.listConsumerGroupOffsets({ groups: [group] }));
      const published = (found?.topics ?? []).flatMap(({ name, partitions }) =>
        partitions.map((one) => `${name}/${one.partitionIndex} ${one.committedOffset}`),
      );
      expect(published.sort()).toEqual(
        rows.map(({ topic, partition, next_offset }) => `${topic}/${partition} ${next_offset}`).sort(),
      );
    },
    { timeoutMs: 30_000, intervalMs: 500 },
  );
});
