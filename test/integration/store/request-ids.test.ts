/** Request ids of starts go when they are old, part by part; ids of runs, and events of triggers, stay taken. */
import { expect, test } from "vitest";
import { createRequestIdRemoval } from "../../../src/store/request-ids.ts";
import { createTestDatabase } from "../../support/postgres.ts";

const { database } = await createTestDatabase();
const sql = async <Row extends object>(text: string) => (await database.reads.query<Row>(text)).rows;

const DAY_MS = 86_400_000;

const add = (kind: string, key: string, age: string, count = 1) =>
  sql(`INSERT INTO orchestrator.starts (tenant_id, kind, key, run_id, request_hash, created_at)
    SELECT 'default', '${kind}', '${key}' || i, 'run-' || i, repeat('h', 64), clock_timestamp() - interval '${age}'
    FROM generate_series(1, ${count}) i`);

const countOf = async (condition = "true") =>
  (await sql<{ readonly n: number }>(`SELECT count(*) AS n FROM orchestrator.starts WHERE ${condition}`))[0]?.n;

test("a day of calls reads the whole table from wherever it began, and takes what is old", async () => {
  // More than one statement reads in a call.
  await add("request", "old-", "31 days", 60_000);
  await add("request", "new-", "29 days", 60_000);
  await add("request", "trigger/", "400 days", 10);
  await add("run", "run-", "400 days", 10);
  await add("deleted", "run-", "400 days", 10);
  await sql(`INSERT INTO orchestrator.void_starts (tenant_id, kind, key, run_id)
    VALUES ('default', 'request', 'old-7', 'run-7'), ('default', 'request', 'new-7', 'run-7')`);
  const remove = createRequestIdRemoval(database, 30 * DAY_MS);
  const removed: number[] = [];
  // The part in which it began is met from both sides.
  for (let call = 0; call < 26; call++) removed.push(await remove());
  expect(removed.reduce((sum, n) => sum + n)).toBe(60_000);
  expect(Math.max(...removed)).toBeLessThan(6_000);
  expect(await countOf("key LIKE 'old-%'")).toBe(0);
  expect(await countOf()).toBe(60_030);
  expect(await sql("SELECT key FROM orchestrator.void_starts")).toEqual([{ key: "new-7" }]);
  expect(await createRequestIdRemoval(database, 30 * DAY_MS)()).toBe(0);
});

test("it stops between two statements, and an empty table costs it nothing", async () => {
  await sql("TRUNCATE orchestrator.starts");
  const remove = createRequestIdRemoval(database, DAY_MS);
  expect(await remove()).toBe(0);
  await add("request", "old-", "2 days");
  expect(await remove(() => true)).toBe(0);
  expect(await remove()).toBe(1);
});
