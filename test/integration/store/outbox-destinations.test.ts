/** The outbox has rows of several destinations, and each finds its own. */
import { expect, test } from "vitest";
import type { HeldEvents } from "../../../src/engine/ports/bus/outbox.ts";
import { createDropOldest, createOutbox, createPlaceOutbox } from "../../../src/store/bus/outbox.ts";
import { createTestDatabase } from "../../support/postgres.ts";

const { database } = await createTestDatabase();

test("each destination lists, measures, deletes, and rejects its own messages, whatever the other has", async () => {
  const sql = (text: string) => database.reads.query(text);
  const insert = (destination: string, topic: string, count: number) =>
    sql(`INSERT INTO orchestrator.outbox (shard, run_id, task_path, tenant_id, destination, topic, key, payload, created_at)
      SELECT i % 4, 'r', '', '', '${destination}', '${topic}', 'k', '{}', now() FROM generate_series(1, ${count}) i`);
  const [kafka, redis] = [createOutbox(database, "kafka"), createOutbox(database, "redis")];
  const shards = [0, 1, 2, 3];
  await insert("redis", "answers", 20_000);
  await insert("kafka", "events", 2);
  await insert("redis", "events", 2);
  await sql("ANALYZE orchestrator.outbox");

  const own = await kafka.list(shards, [], []);
  expect(own.map(({ message }) => `${message.destination} ${message.topic}`)).toEqual(["kafka events", "kafka events"]);
  expect(
    await kafka.list(
      shards,
      own.map(({ id }) => id),
      [],
    ),
  ).toEqual([]);
  expect(await kafka.list(shards, [], ["events"])).toEqual([]);
  expect((await redis.list(shards, [], [])).length).toBe(1_000);
  expect((await redis.list(shards, [], ["answers"])).map(({ message }) => message.topic)).toEqual(["events", "events"]);
  expect(await kafka.measure()).toEqual({ messages: 2, bytes: 4 });
  expect(await redis.measure()).toEqual({ messages: 20_002, bytes: 40_004 });

  await redis.delete(own.map(({ id }) => id));
  await redis.reject(own.map(({ id }) => ({ id, reason: "not mine" })));
  expect(await kafka.measure()).toEqual({ messages: 2, bytes: 4 });
  await kafka.reject(own.slice(0, 1).map(({ id }) => ({ id, reason: "too large" })));
  await kafka.delete(own.map(({ id }) => id));
  expect(await kafka.measure()).toEqual({ messages: 0, bytes: 0 });
  const { rows } = await sql("SELECT destination, topic, reason FROM orchestrator.outbox_rejected");
  expect(rows).toEqual([{ destination: "kafka", topic: "events", reason: "too large" }]);
});

test("the oldest part of a destination is dropped, in the shards that are named", async () => {
  const sql = (text: string) => database.reads.query<{ id: number; shard: number }>(text);
  await sql("DELETE FROM orchestrator.outbox");
  await sql(`INSERT INTO orchestrator.outbox (shard, run_id, task_path, tenant_id, destination, topic, key, payload, created_at)
    SELECT i % 2, 'r', '', '', CASE WHEN i < 20 THEN 'redis' ELSE 'kafka' END, 't', 'k', '{}', now()
    FROM generate_series(0, 39) i`);
  const dropOldest = createDropOldest(database, "redis");
  const { rows: before } = await sql(
    "SELECT id, shard FROM orchestrator.outbox WHERE destination = 'redis' ORDER BY id",
  );
  expect(await dropOldest([2], 0.5)).toBe(0);
  expect(await dropOldest([1], 0.25)).toBe(3);
  const { rows: left } = await sql("SELECT id, shard FROM orchestrator.outbox WHERE destination = 'redis' ORDER BY id");
  const oldest = before.filter(({ shard }) => shard === 1).slice(0, 3);
  expect(left).toEqual(before.filter(({ id }) => !oldest.some((one) => one.id === id)));
  expect(await dropOldest([0, 1], 1)).toBe(17);
  expect(await dropOldest([0, 1], 1)).toBe(0);
  expect(await createOutbox(database, "kafka").measure()).toEqual({ messages: 20, bytes: 40 });
});

// Cause: events of a flow that was switched off were sent.
test("events of tenants and flows that are off are left out, and everything else is listed", async () => {
  const sql = (text: string) => database.reads.query(text);
  await sql("DELETE FROM orchestrator.outbox");
  await sql(`INSERT INTO orchestrator.runs (run_id, run_day, shard, tenant_id, flow_id, version, flow_hash, state, moving, sequence,
      user_id, correlation_id, run_key, parent_run_id, parent_task, created_at, updated_at)
    SELECT id, 20000, 0, 't', flow, '1', '', 'COMPLETED', false, 1, '', '', '', '', '', now(), now()
    FROM (VALUES ('wild-1', 'wild'), ('calm-1', 'calm')) AS r (id, flow)`);
  await sql(`INSERT INTO orchestrator.outbox (shard, run_id, task_path, tenant_id, kind, destination, topic, key, payload, sequence, created_at)
    SELECT 0, run, name, tenant, kind, destination, 'place', run, payload, 1, now() FROM
      (VALUES ('wild-1', 't', 'event', 'wild', '{}'), ('wild-1', 't', 'task', 'work', '{}'), ('calm-1', 't', 'event', 'calm', '{}'),
        ('gone-1', 't', 'event', 'gone', '{"flowId": "wild"}'), ('far-1', 'u', 'event', 'far', '{}'))
        AS m (run, tenant, kind, name, payload),
      (VALUES ('kafka'), ('webhook')) AS d (destination)`);
  let held: HeldEvents[] = [];
  const names = async (): Promise<string[][]> => {
    const listHeld = () => held;
    const all = await createOutbox(database, "kafka", false, listHeld).list([0], [], []);
    const place = await createPlaceOutbox(database, "webhook", "place", false, listHeld).list([0], [], 10);
    return [all, place].map((rows) => rows.map(({ message }) => message.taskPath));
  };
  for (const [off, left] of [
    [[], ["wild", "work", "calm", "gone", "far"]],
    [[{ tenantId: "t", flowId: "wild" }], ["work", "calm", "far"]],
    [[{ tenantId: "u", flowId: "wild" }], ["wild", "work", "calm", "gone", "far"]],
    [[{ tenantId: "t", flowId: "" }], ["work", "far"]],
    [
      [
        { tenantId: "t", flowId: "calm" },
        { tenantId: "u", flowId: "" },
      ],
      ["wild", "work", "gone"],
    ],
  ] as [HeldEvents[], string[]][]) {
    held = off;
    expect(await names()).toEqual([left, left]);
  }
});
