/** What is kept for operators only goes when it is old; what still has a task to fail stays. */
import { expect, test } from "vitest";
import { removeOldMessages } from "../../../src/store/bus/message-retention.ts";
import { createTestDatabase } from "../../support/postgres.ts";

const { database } = await createTestDatabase();
const DAY_MS = 86_400_000;

test("old rejected messages and rewinds are removed, however many, and nothing else", async () => {
  const sql = (text: string) => database.reads.query(text);
  const at = (days: string) => `now() - ${days} * interval '1 day'`;
  await sql(`INSERT INTO orchestrator.rejected_messages
      (cluster_id, topic_id, topic, partition, message_offset, headers, sent_at, reason, message, rejected_at)
    SELECT 'c', 't', 'flow_runs', 0, i, '{}', now(), 'NOT_JSON', '', ${at("CASE WHEN i > 1200 THEN 1 ELSE 31 END")}
    FROM generate_series(1, 1203) i`);
  await sql(`INSERT INTO orchestrator.outbox_rejected
      (shard, id, run_id, task_path, tenant_id, kind, topic, key, payload, sequence, created_at, reason, settled, rejected_at)
    SELECT 0, i, 'r', 'a', '', 'task', 't', 'r', '{}', 1, now(), 'too large', i <> 2, ${at("CASE WHEN i = 3 THEN 1 ELSE 31 END")}
    FROM generate_series(1, 3) i`);
  await sql(`INSERT INTO orchestrator.kafka_rewinds (topic, partition, from_offset, to_offset, actor, reason, created_at)
    SELECT 'flow_runs', 0, 1, 0, 'ann', '', ${at("i * 20")} FROM generate_series(1, 2) i`);

  expect(await removeOldMessages(database, 30 * DAY_MS, () => true)).toBe(0);
  expect(await removeOldMessages(database, 30 * DAY_MS)).toBe(1_200 + 1 + 1);
  expect(await removeOldMessages(database, 30 * DAY_MS)).toBe(0);

  const count = async (table: string) => (await sql(`SELECT count(*)::int4 AS n FROM orchestrator.${table}`)).rows[0];
  expect(await count("rejected_messages")).toEqual({ n: 3 });
  expect((await sql("SELECT id FROM orchestrator.outbox_rejected ORDER BY id")).rows).toEqual([{ id: 2 }, { id: 3 }]);
  expect(await count("kafka_rewinds")).toEqual({ n: 1 });
});
