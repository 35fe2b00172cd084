/** Undelivered messages in the store: which ones a change takes, and where they go. */
import { expect, test } from "vitest";
import { createOutbox, createUnservedOutbox } from "../../../src/store/bus/outbox.ts";
import { createUndeliveredMessages } from "../../../src/store/bus/undelivered.ts";
import { createTestDatabase } from "../../support/postgres.ts";

const { database } = await createTestDatabase();
const sql = (text: string) => database.reads.query(text);
const caller = { tenantId: "default", actor: "ann" };

/** Messages with these ids, of one run to one place; the later ones were rejected first. */
const reject = (destination: string, place: string, code: string, ...ids: readonly (number | bigint)[]) =>
  sql(`INSERT INTO orchestrator.outbox_rejected
      (shard, id, run_id, task_path, tenant_id, kind, destination, topic, key, payload, sequence, created_at, reason, code, settled, rejected_at)
    SELECT 3, i, 'r', 'a', 'default', 'event', '${destination}', '${place}', 'r', '{}', i % 1000, now() - interval '1 day', '', '${code}', true,
      now() - i % 1000 * interval '1 second'
    FROM unnest(ARRAY[${ids.join(", ")}]) AS i`);

const waiting = async () =>
  (await sql("SELECT id, created_at > now() - interval '1 minute' AS is_new FROM orchestrator.outbox ORDER BY id"))
    .rows;

// Cause: the first part of a selection was by the time of the rejection, and a run was sent again from its middle.
test("what a selector takes first was written first, and it keeps its id in the outbox", async () => {
  await reject("webhook", "billing", "REFUSED", 11, 12, 13);
  const undelivered = createUndeliveredMessages(database, () => {});
  const change = { target: { selector: {} }, limit: 2, reason: "", key: { id: "k", hash: "h" } };
  const [one, other] = await Promise.all([
    undelivered.redeliver(caller, change),
    undelivered.redeliver(caller, change),
  ]);
  expect(one.ids.map(({ shard, id }) => `${shard}-${id}`)).toEqual(["3-11", "3-12"]);
  expect(one.hasMore).toBe(true);
  expect(other.ids.map(({ shard, id }) => `${shard}-${id}`)).toEqual(["3-11", "3-12"]);
  expect(await waiting()).toEqual([
    { id: 11, is_new: true },
    { id: 12, is_new: true },
  ]);
  const rest = await undelivered.drop(caller, { ...change, key: undefined });
  expect([rest.ids.length, rest.hasMore]).toEqual([1, false]);
  await undelivered.drop(caller, { ...change, key: undefined });
  // What changed nothing, and nobody can ask for again, is not kept.
  const { rows } = await sql("SELECT action, message_ids, actor FROM orchestrator.undelivered_changes ORDER BY id");
  expect(rows).toEqual([
    { action: "redelivered", message_ids: ["3-11", "3-12"], actor: "ann" },
    { action: "dropped", message_ids: ["3-13"], actor: "ann" },
  ]);
  await sql("DELETE FROM orchestrator.outbox");
});

test("places with unsent messages are found, and what was set aside for some of them is sent again", async () => {
  await reject("webhook", "billing", "UNSERVED", 21, 22);
  await reject("webhook", "gone", "UNSERVED", 23);
  await reject("webhook", "billing", "REFUSED", 24);
  await reject("stream", "billing", "UNSERVED", 25);
  const outbox = createUnservedOutbox(database, false);
  expect(await outbox.restore("webhook", ["billing", "new"], 1)).toBe(1);
  expect(await outbox.restore("webhook", ["billing", "new"], 100)).toBe(1);
  expect(await outbox.restore("webhook", ["billing", "new"], 100)).toBe(0);
  expect((await waiting()).map(({ id }) => id)).toEqual([21, 22]);
  expect(await outbox.restore("stream", null, 100)).toBe(1);
  await sql(`INSERT INTO orchestrator.outbox (shard, run_id, task_path, tenant_id, destination, topic, key, payload, created_at)
    SELECT i % 8, 'r', '', '', 'kafka', 'topic-' || i % 3, 'k', '{}', now() FROM generate_series(1, 300) i`);
  expect(await outbox.listPlaces()).toEqual([
    ...["topic-0", "topic-1", "topic-2"].map((place) => ({ destination: "kafka", place })),
    { destination: "stream", place: "billing" },
    { destination: "webhook", place: "billing" },
  ]);
  expect(await outbox.of("stream", "billing").measure()).toEqual({ messages: 1, bytes: 2 });
});

// Cause: ids were read as numbers, and one that no number holds failed the list for all of them.
test("ids that no number holds are listed, found, sent again, and dropped", async () => {
  const undelivered = createUndeliveredMessages(database, () => {});
  const ids = ["9007199254740993", "9223372036854775807"];
  await sql("DELETE FROM orchestrator.outbox_rejected");
  await sql("DELETE FROM orchestrator.outbox");
  await reject("webhook", "billing", "REFUSED", ...ids.map(BigInt));
  const listed = await undelivered.list(caller, {}, null, 10);
  expect(listed.map(({ id }) => id.id).sort()).toEqual(ids);
  const [first] = ids.map((id) => ({ shard: 3, id }));
  if (first === undefined) throw new Error("there is one");
  expect((await undelivered.find(caller, first))?.view.id).toEqual(first);
  const one = { target: { ids: [first] }, limit: 10, reason: "", key: undefined };
  expect((await undelivered.redeliver(caller, one)).ids).toEqual([first]);
  const outbox = createOutbox(database, "webhook");
  expect((await outbox.list([3], [], [])).map(({ id }) => id)).toEqual([first]);
  expect(await outbox.list([3], [first], [])).toEqual([]);
  await outbox.delete([first]);
  expect(await outbox.list([3], [], [])).toEqual([]);
  const all = await undelivered.drop(caller, { ...one, target: { selector: {} } });
  expect(all.ids).toEqual([{ shard: 3, id: ids[1] }]);
});
