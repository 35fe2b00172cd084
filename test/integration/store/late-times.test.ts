/**
 * Times of damaged rows that no Date has, or that are infinite: they cost no statement that reads many rows. Before
 * version 17 PostgreSQL takes no difference of infinite times, so this is to be run on 15, too
 * (ORCHESTRATOR_TEST_POSTGRES15=1).
 */
import { beforeEach, expect, test } from "vitest";
import { toDuration, toTimestamp } from "../../../src/api/mapping/time.ts";
import { createRejectedMessages } from "../../../src/store/bus/inbound.ts";
import { createRejectedList } from "../../../src/store/bus/rejected.ts";
import { createLimitStore } from "../../../src/store/limits/declared-limits.ts";
import { createQueueStore } from "../../../src/store/queues/queues.ts";
import { readStoreCounts } from "../../../src/store/store-counts.ts";
import { createWaitingTaskStore } from "../../../src/store/waiting-tasks.ts";
import { createTestDatabase } from "../../support/postgres.ts";

const { database } = await createTestDatabase({ anyFlow: true });

const sql = async <Row extends object = Record<string, unknown>>(text: string) =>
  (await database.reads.query<Row>(text)).rows;

const TIMES = ["infinity", "-infinity", "294276-12-31 23:59:59.999999+00", "4713-11-24 BC"];

beforeEach(() => sql("TRUNCATE orchestrator.waiting_tasks, orchestrator.limit_slots, orchestrator.dead_letters"));

test("a time is a number of milliseconds in every year that the database has", async () => {
  const read = async (text: string) =>
    (await sql<{ readonly at: number }>(`SELECT timestamptz '${text}' AS at`))[0]?.at;
  const seconds = async (text: string) =>
    (await sql<{ readonly s: number }>(`SELECT floor(extract(epoch FROM timestamptz '${text}'))::float8 AS s`))[0]?.s;
  for (const text of [
    "2026-02-28",
    "275760-09-13",
    "275760-09-13 00:00:01",
    "275761-01-01",
    "280000-02-29 11:22:33",
    "294276-12-31 23:59:59",
  ])
    expect(await read(text), text).toBe(Number(await seconds(text)) * 1_000);
  expect([await read("infinity"), await read("-infinity")]).toEqual([
    Number.POSITIVE_INFINITY,
    Number.NEGATIVE_INFINITY,
  ]);
  expect(await read("0044-03-15 BC")).toBe(Date.parse("-000043-03-15T00:00:00Z"));
});

test("what is told of such times is what the contract can say", () => {
  const last = toTimestamp(Date.parse("9999-12-31T23:59:59.999Z"));
  for (const time of [Number.POSITIVE_INFINITY, Number.NaN, 9e15]) expect(toTimestamp(time)).toEqual(last);
  const longest = toDuration(Number.POSITIVE_INFINITY);
  for (const length of [Number.NaN, 9e15]) expect(toDuration(length)).toEqual(longest);
});

test.each(TIMES)("sums and lists are answered for all when one row says %s", async (time) => {
  await sql(`INSERT INTO orchestrator.waiting_tasks (run_id, task_path, shard, tenant_id, queue, handler, rank, ready_at, held)
    SELECT i, 'a', 0, 't', 'q' || i, 'h', 0, CASE i WHEN 1 THEN timestamptz '${time}' ELSE now() END, false FROM generate_series(1, 2) i`);
  await sql(`INSERT INTO orchestrator.limit_slots (run_id, task_path, shard, tenant_id, name, key, home, state, asked, rank, since)
    SELECT i, 'a', 0, 't', 'l' || i, '', 0, 'waiting', 1, 0, CASE i WHEN 1 THEN timestamptz '${time}' ELSE now() END FROM generate_series(1, 2) i`);
  await sql(`INSERT INTO orchestrator.dead_letters (run_id, task_path, generation, tenant_id, flow_id, attempts, error_type, error_message, input, created_at)
    VALUES ('1', 'a', 1, 't', 'f', 1, 'x', 'y', '{}', '${time}')`);
  const queues = createQueueStore(database);
  expect((await queues.listTotals()).map(({ queue }) => queue)).toEqual(["q1", "q2"]);
  expect(await queues.listLines()).toHaveLength(2);
  const limits = createLimitStore(database);
  expect((await limits.listTotals()).map(({ name }) => name)).toEqual(["l1", "l2"]);
  expect(await limits.view("t", ["l1", "l2"])).toHaveLength(2);
  const { deadLetterSeconds } = await readStoreCounts(database);
  expect(deadLetterSeconds).toBeGreaterThanOrEqual(0);
});

// Cause: the number was read as a float and then as a whole one, which the statement for the next page refused.
test("a turn that no number holds keeps no line from its page", async () => {
  await sql(`INSERT INTO orchestrator.waiting_tasks (run_id, task_path, shard, tenant_id, queue, handler, rank, ready_at, held, turn)
    SELECT i, 'a', 0, 't', 'q', 'h', 0, now(), false, CASE i WHEN 1 THEN 1 ELSE 9223372036854775807 END FROM generate_series(1, 2) i`);
  await sql("UPDATE orchestrator.waiting_tasks SET turn = 9223372036854775807 WHERE run_id = '2'");
  const store = createWaitingTaskStore(database);
  const line = { tenantId: "t", queue: "q", handler: "h", labels: "" };
  const found = await store.listWaiting([0], line, null, 10);
  expect(found.map(({ runId }) => runId)).toEqual(["1", "2"]);
  await store.listWaiting([0], line, found.at(-1) ?? null, 10);
});

// Cause: a producer's time was handed to the database as it came, which refused the row, and the message came again.
test.each([Number.MAX_SAFE_INTEGER, 9.2e18, -1, -1e17])("a message that is stamped with %s is kept", async (sentAt) => {
  const kept = createRejectedMessages(database, "dead", () => 0);
  const topic = `t${sentAt}`;
  const place = {
    clusterId: "c",
    topicId: topic,
    topic,
    partition: 0,
    offset: 9_223_372_036_854_775_807n,
    leaderEpoch: 0,
  };
  await kept.keep({ ...place, key: null, value: null, headers: [], sentAt }, "NOT_JSON", "no");
  const [view] = await createRejectedList(database).list({ topic }, null, 10);
  expect(view).toMatchObject({ topic, id: { offset: "9223372036854775807" } });
  expect(Number(toTimestamp(view?.sentAt ?? 0).seconds)).toBeLessThan(253_402_300_800);
});
