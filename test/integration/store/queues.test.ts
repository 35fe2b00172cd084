/** Settings and counts of queues: right for whatever is written, and quick however much waits. */
import { beforeEach, expect, test } from "vitest";
import { createQueueStore } from "../../../src/store/queues/queues.ts";
import { foldWaitingCounts } from "../../../src/store/run-counts.ts";
import { createTestDatabase } from "../../support/postgres.ts";

const { database } = await createTestDatabase();
const store = createQueueStore(database);

const sql = async <Row extends object = Record<string, unknown>>(text: string, values: (string | number)[] = []) =>
  (await database.journal.query<Row>(text, values)).rows;

beforeEach(async () => {
  await sql("TRUNCATE orchestrator.waiting_tasks, orchestrator.queues");
});

/** Adds `count` tasks whose ids begin with `name`, the first of which became ready at `readyAt`. */
const add = (name: string, count: number, { queue = "q", handler = "h", priority = 0, readyAt = 1_000 } = {}) =>
  sql(
    `INSERT INTO orchestrator.waiting_tasks (run_id, task_path, shard, tenant_id, queue, handler, rank, ready_at, held)
    SELECT $1 || n, 'a', 0, 't', $3, $4, -$5::int, to_timestamp($6::float8 / 1000) + n * interval '1 second', false FROM generate_series(0, $2::int - 1) n`,
    [name, count, queue, handler, priority, readyAt],
  );

const counted = () =>
  sql(`SELECT tenant_id, queue, handler, labels, rank, held, deferred, count(*)::int AS count FROM orchestrator.waiting_tasks
    GROUP BY tenant_id, queue, handler, labels, rank, held, deferred ORDER BY 2, 3, 5, 6, 7`);
const summed = () =>
  sql(`SELECT tenant_id, queue, handler, labels, rank, held, deferred, sum(count)::int AS count FROM orchestrator.waiting_parts
    GROUP BY tenant_id, queue, handler, labels, rank, held, deferred HAVING sum(count) <> 0 ORDER BY 2, 3, 5, 6, 7`);

test("whatever is written, the sums are what counting the rows gives, folded or not", async () => {
  await add("a", 5);
  await add("b", 3, { handler: "other", priority: 7 });
  await add("c", 2, { queue: "q2" });
  await sql("UPDATE orchestrator.waiting_tasks SET held = true WHERE run_id IN ('a1', 'b0')");
  await sql("DELETE FROM orchestrator.waiting_tasks WHERE run_id = 'a2'");
  expect(await summed()).toEqual(await counted());
  await foldWaitingCounts(database);
  expect(await summed()).toEqual(await counted());
  await sql("UPDATE orchestrator.waiting_tasks SET deferred = true, held = false WHERE run_id IN ('a1', 'a3')");
  await sql("DELETE FROM orchestrator.waiting_tasks WHERE queue = 'q2'");
  expect(await summed()).toEqual(await counted());
  await foldWaitingCounts(database);
  expect(await summed()).toEqual(await counted());
  expect(await sql("SELECT 1 FROM orchestrator.waiting_counts WHERE count = 0 OR queue = 'q2'")).toEqual([]);
});

test("tasks are counted by handler and by what keeps them, with the oldest and the highest priority that wait", async () => {
  await add("a", 5, { readyAt: 10_000 });
  await add("b", 3, { handler: "other", priority: 7, readyAt: 9_000 });
  await add("c", 1, { priority: 50, readyAt: 1_000 });
  await sql("UPDATE orchestrator.waiting_tasks SET held = true WHERE run_id = 'c0'");
  await sql("UPDATE orchestrator.waiting_tasks SET deferred = true WHERE run_id IN ('b0', 'a4')");
  expect(await store.count("t", ["q", "nobody's"])).toEqual([
    {
      queue: "q",
      ...{ waiting: 6, deferred: 2, held: 1, oldestAt: 10_000, priority: 7 },
      handlers: [
        { handler: "h", waiting: 4, deferred: 1, held: 1 },
        { handler: "other", waiting: 2, deferred: 1, held: 0 },
      ],
    },
  ]);
  expect(await store.count("another tenant", ["q"])).toEqual([]);
});

test("the first one to stop a queue is named, and what says nothing any more leaves no row", async () => {
  const paused = await store.change("t", "q", "ann", { type: "pause", why: "deploy" });
  expect(paused.pause).toMatchObject({ by: "ann", why: "deploy" });
  const again = await store.change("t", "q", "bob", { type: "pause", why: "other" });
  expect(again.pause).toEqual(paused.pause);
  const drained = await store.change("t", "q", "bob", { type: "drain", why: "" });
  expect(drained).toMatchObject({ pause: paused.pause, drain: { by: "bob", why: "" } });
  const limited = await store.change("t", "q", "", { type: "update", maxLength: 10, ttlMs: 5, buildIds: ["b1"] });
  expect(limited).toMatchObject({ maxLength: 10, ttlMs: 5, buildIds: ["b1"], pause: paused.pause });
  const resumed = await store.change("t", "q", "", { type: "resume" });
  expect(resumed).toMatchObject({ pause: null, drain: null, maxLength: 10, ttlMs: 5, buildIds: ["b1"] });
  expect(await store.listAll()).toEqual([resumed]);
  await store.change("t", "q", "", { type: "update", maxLength: null });
  expect((await store.find("t", ["q"]))[0]).toMatchObject({ maxLength: null, ttlMs: 5 });
  await store.change("t", "q", "", { type: "update", ttlMs: null, buildIds: [] });
  await store.change("t", "unknown", "", { type: "resume" });
  expect(await store.listAll()).toEqual([]);
});

test("names come in order and once each, from rows and from tasks", async () => {
  await add("a", 2, { queue: "b" });
  await foldWaitingCounts(database);
  await add("b", 2, { queue: "c" });
  await add("d", 2, { queue: "b" });
  await store.change("t", "a", "", { type: "pause", why: "" });
  await store.change("t", "c", "", { type: "pause", why: "" });
  expect(await store.listNames("t", "", 10)).toEqual(["a", "b", "c"]);
  expect(await store.listNames("t", "a", 1)).toEqual(["b"]);
  expect(await store.listNames("u", "", 10)).toEqual([]);
});

test("the 10,001st queue with settings is refused, and those that are there may still change", async () => {
  await sql(
    "INSERT INTO orchestrator.queues (tenant_id, queue, paused_at) SELECT 't', 'q' || n, now() FROM generate_series(1, 10000) n",
  );
  await expect(store.change("t", "one more", "", { type: "pause", why: "" })).rejects.toThrow(
    "10000 queues are paused",
  );
  await store.change("t", "q7", "", { type: "drain", why: "" });
  await store.change("u", "one more", "", { type: "pause", why: "" });
});

test("waiting tasks are counted without reading them", async () => {
  await sql(
    `INSERT INTO orchestrator.waiting_tasks (run_id, task_path, shard, tenant_id, queue, handler, rank, ready_at, held)
    SELECT 'r' || n, 'a', n % 8, 't', 'q', 'h' || n % 20, n % 3, to_timestamp(n), false FROM generate_series(1, 100000) n`,
  );
  await foldWaitingCounts(database);
  const plan = async (text: string): Promise<number> => {
    const rows = await sql<{ "QUERY PLAN": readonly { Plan: Record<string, number> }[] }>(
      `EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) ${text}`,
    );
    const { Plan } = rows[0]?.["QUERY PLAN"][0] ?? expect.unreachable("no plan");
    return (Plan["Shared Hit Blocks"] ?? 0) + (Plan["Shared Read Blocks"] ?? 0);
  };
  const oldest = `SELECT ready_at FROM orchestrator.waiting_tasks WHERE tenant_id = 't' AND queue = 'q' AND NOT deferred AND NOT held ORDER BY ready_at LIMIT 1`;
  expect(await plan(oldest)).toBeLessThan(50);
  expect(
    await plan("SELECT sum(count) FROM orchestrator.waiting_parts WHERE tenant_id = 't' AND queue = 'q'"),
  ).toBeLessThan(50);
  expect(await store.count("t", ["q"])).toMatchObject([{ waiting: 100_000, oldestAt: 1_000, priority: 0 }]);
});

/** Runs of the tasks of a queue that are in it, and of those that are deferred, each in order of time. */
const places = async (queue = "q") => {
  const rows = await sql<{ run_id: string; deferred: boolean }>(
    "SELECT run_id, deferred FROM orchestrator.waiting_tasks WHERE queue = $1 ORDER BY ready_at",
    [queue],
  );
  const of = (deferred: boolean) => rows.filter((row) => row.deferred === deferred).map(({ run_id }) => run_id);
  return { waiting: of(false), deferred: of(true) };
};

test("what is too much for a queue is deferred, the youngest first, and comes in as there is room, the oldest first", async () => {
  await add("a", 5);
  await add("b", 2, { queue: "free" });
  await store.change("t", "q", "", { type: "update", maxLength: 3 });
  expect(await store.settle()).toEqual({ hasChanged: true, isMore: false });
  expect(await places()).toEqual({ waiting: ["a0", "a1", "a2"], deferred: ["a3", "a4"] });
  expect((await places("free")).deferred).toEqual([]);
  await sql("DELETE FROM orchestrator.waiting_tasks WHERE run_id = 'a0'");
  await store.settle();
  expect(await places()).toEqual({ waiting: ["a1", "a2", "a3"], deferred: ["a4"] });
  expect(await store.count("t", ["q"])).toMatchObject([{ waiting: 3, deferred: 1 }]);
  await store.change("t", "q", "", { type: "update", maxLength: null });
  expect(await store.listAll()).toHaveLength(1);
  await store.settle();
  expect(await places()).toEqual({ waiting: ["a1", "a2", "a3", "a4"], deferred: [] });
  await store.settle();
  expect(await store.listAll()).toEqual([]);
});

test("a drained queue lets nothing in, and a resumed one everything, however much it is", async () => {
  await add("a", 12_000);
  await sql("UPDATE orchestrator.waiting_tasks SET deferred = true");
  await store.change("t", "q", "", { type: "drain", why: "" });
  await store.settle();
  expect((await places()).waiting).toEqual([]);
  await store.change("t", "q", "", { type: "resume" });
  for (let rounds = 0; (await store.settle()).isMore; rounds += 1) expect(rounds).toBeLessThan(5);
  await store.settle();
  expect((await places()).deferred).toEqual([]);
  expect(await store.listAll()).toEqual([]);
});

test("tasks that a commit holds are left, and others are deferred", async () => {
  await add("a", 3);
  await store.change("t", "q", "", { type: "update", maxLength: 1 });
  await database.journal.transaction(async (runner) => {
    await runner.query("SELECT 1 FROM orchestrator.waiting_tasks WHERE run_id = 'a2' FOR UPDATE");
    await store.settle();
  });
  expect(await places()).toEqual({ waiting: ["a2"], deferred: ["a0", "a1"] });
});

test("tasks that waited too long are found on the shards that are asked for, deferred and held ones too", async () => {
  await add("a", 4);
  await add("b", 2, { queue: "other" });
  await sql("UPDATE orchestrator.waiting_tasks SET deferred = (run_id = 'a1'), held = (run_id = 'a2')");
  await sql("UPDATE orchestrator.waiting_tasks SET ready_at = now() WHERE run_id = 'a3'");
  await store.change("t", "q", "", { type: "update", ttlMs: 60_000 });
  const found = await store.listExpired([0], 10);
  expect(found.map(({ runId }) => runId).sort()).toEqual(["a0", "a1", "a2"]);
  expect(found[0]).toMatchObject({ path: "a", queue: "q", ttlMs: 60_000 });
  expect(await store.listExpired([1], 10)).toEqual([]);
  expect(await store.listExpired([0], 2)).toHaveLength(2);
});
