/** Messages that may have killed their reader, in SQL: whose death counts against which, and what it is worth. */
import { beforeEach, expect, test } from "vitest";
import { createInboundOffsets } from "../../../src/store/bus/inbound.ts";
import { createMessageSuspects, createPartitionReaders } from "../../../src/store/bus/suspects.ts";
import { createTestDatabase } from "../../support/postgres.ts";

const { database } = await createTestDatabase();
const offsets = createInboundOffsets(database);
const readers = createPartitionReaders(database);
const suspects = createMessageSuspects(database);

const TOPIC = { clusterId: "c", topicId: "t", topic: "flow_runs" };
const at = (offset: bigint, partition = 0) => ({ ...TOPIC, partition, offset });

const sql = async (text: string, values: string[] = []) => (await database.reads.query(text, values)).rows;

/** Another process owns the shards, and takes both partitions. */
async function takeAs(incarnation: string) {
  await sql("UPDATE orchestrator.shard_leases SET epoch = epoch + 1, incarnation = $1", [incarnation]);
  const [lease] = (await sql("SELECT epoch FROM orchestrator.shard_leases")) as { epoch: number }[];
  const owned = [0, 1].map((partition) => ({ partition, shard: 0, epoch: lease?.epoch ?? 0 }));
  return readers.take(TOPIC, owned);
}

const save = (nextOffset: bigint, partition = 0) => offsets.save([{ ...at(0n, partition), nextOffset, generation: 0 }]);

const deathsOf = () =>
  sql("SELECT incarnation, run_id, moment, explained FROM orchestrator.owner_deaths ORDER BY incarnation");

beforeEach(async () => {
  await sql(`TRUNCATE orchestrator.kafka_offsets, orchestrator.kafka_suspects, orchestrator.owner_deaths,
    orchestrator.shard_leases`);
  await sql("INSERT INTO orchestrator.shard_leases (shard) VALUES (0)");
  await save(10n);
  await save(20n, 1);
});

const clean = { stood: false, deaths: new Map(), unexplained: 0 };

test("a reader that dies before its position rises leaves its partition suspect; one that got on does not", async () => {
  expect(await takeAs("a")).toEqual([
    { ...TOPIC, partition: 0, nextOffset: 10n, generation: 0, reader: "a", ...clean },
    { ...TOPIC, partition: 1, nextOffset: 20n, generation: 0, reader: "a", ...clean },
  ]);
  await save(21n, 1);
  expect(await takeAs("b")).toMatchObject([
    { reader: "b", stood: true },
    { reader: "b", stood: false, nextOffset: 21n },
  ]);
  // Taken again by the same process, which is alive.
  expect(await takeAs("b")).toMatchObject([{ stood: false }, { stood: false }]);
});

test("a partition that is given back is not suspect, and only its reader can give it back", async () => {
  const [first] = await takeAs("a");
  await readers.giveBack(first === undefined ? [] : [{ ...first, reader: "other" }]);
  expect(await takeAs("b")).toMatchObject([{ stood: true }, { stood: true }]);
  await suspects.name(at(10n), null);
  const [second] = await takeAs("b");
  await readers.giveBack(second === undefined ? [] : [second]);
  expect(await takeAs("d")).toMatchObject([
    { stood: false, deaths: new Map() },
    { stood: true, deaths: new Map() },
  ]);
  expect(await deathsOf()).toEqual([]);
});

test("who has lost the shard takes nothing, and learns it", async () => {
  await takeAs("a");
  expect(await readers.take(TOPIC, [{ partition: 0, shard: 0, epoch: 0 }])).toMatchObject([
    { reader: null, stood: false },
  ]);
  expect(await takeAs("b")).toMatchObject([{ stood: true }, { stood: true }]);
});

test("a death counts against the message in progress, and is explained by it until it passes", async () => {
  await takeAs("a");
  await suspects.name(at(10n), null);
  await suspects.name(at(11n), at(10n));
  expect(await takeAs("b")).toMatchObject([
    { stood: true, deaths: new Map([[11n, { readers: 1, others: 0 }]]) },
    { deaths: new Map() },
  ]);
  expect(await deathsOf()).toEqual([{ incarnation: "a", run_id: "t/0/11", moment: "message", explained: true }]);
  await suspects.name(at(11n), null);
  expect(await takeAs("d")).toMatchObject([{ deaths: new Map([[11n, { readers: 2, others: 0 }]]) }, {}]);
  await suspects.name(at(11n), null);
  await suspects.name(null, at(11n));
  // It has passed: somebody kills from outside.
  expect(await takeAs("e")).toMatchObject([{ deaths: new Map(), unexplained: 2 }, { unexplained: 2 }]);
  expect(await deathsOf()).toMatchObject([{ explained: false }, { explained: false }]);
  expect(await sql("SELECT 1 FROM orchestrator.kafka_suspects")).toEqual([]);
});

test("a death that the takeover of the shards has noted already is explained as well, unless a run does", async () => {
  await takeAs("a");
  await sql("INSERT INTO orchestrator.owner_deaths (incarnation, explained) VALUES ('a', false), ('z', false)");
  await suspects.name(at(10n), null);
  expect(await takeAs("b")).toMatchObject([
    { deaths: new Map([[10n, { readers: 1, others: 0 }]]), unexplained: 1 },
    { unexplained: 1 },
  ]);
  expect(await deathsOf()).toMatchObject([{ incarnation: "a", run_id: "t/0/10", explained: true }, { run_id: null }]);
  await suspects.name(at(10n), null);
  await sql("INSERT INTO orchestrator.owner_deaths (incarnation, run_id, explained) VALUES ('b', 'run', true)");
  await takeAs("d");
  expect(await deathsOf()).toMatchObject([{}, { incarnation: "b", run_id: "run" }, {}]);
});

test("a message before the position has passed, and one that is rejected is forgotten", async () => {
  await takeAs("a");
  await suspects.name(at(10n), null);
  await takeAs("b");
  await suspects.name(at(20n, 1), null);
  await takeAs("d");
  expect(await sql("SELECT message_offset::int4 AS at, deaths FROM orchestrator.kafka_suspects ORDER BY 1")).toEqual([
    { at: 10, deaths: 1 },
    { at: 20, deaths: 1 },
  ]);
  await save(11n);
  await suspects.forget(at(20n, 1));
  expect(await takeAs("e")).toMatchObject([{ deaths: new Map() }, { deaths: new Map() }]);
  expect(await sql("SELECT 1 FROM orchestrator.kafka_suspects")).toEqual([]);
});

// Cause: such a death counted as one from outside, so that it spoke for the message, and two instances that died of it
// in turn died up to 26 times.
test("the death of an owner counts against the message on trial, and only while it is", async () => {
  await takeAs("a");
  await suspects.otherDied(at(10n));
  await suspects.name(at(10n), null);
  await suspects.otherDied(at(10n));
  await sql("INSERT INTO orchestrator.owner_deaths (incarnation, explained) VALUES ('owner', false)");
  const deaths = new Map([[10n, { readers: 1, others: 1 }]]);
  expect(await takeAs("b")).toMatchObject([{ deaths, unexplained: 1 }, {}]);
  await suspects.otherDied(at(10n));
  expect(await takeAs("d")).toMatchObject([{ deaths }, {}]);
  await suspects.name(at(10n), null);
  await suspects.name(null, at(10n));
  expect(await sql("SELECT 1 FROM orchestrator.kafka_suspects")).toEqual([]);
});

test("a message that is read again at once is named again", async () => {
  await takeAs("a");
  await suspects.name(at(10n), null);
  await suspects.name(at(10n), at(10n));
  expect(await takeAs("b")).toMatchObject([{ deaths: new Map([[10n, { readers: 1, others: 0 }]]) }, {}]);
});
