import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { type Log, silentLog } from "../../../src/base/log.ts";
import { createJournal } from "../../../src/store/journal/journal.ts";
import { createPartitions, keepPartitions, partitionOf } from "../../../src/store/journal/partitions.ts";
import { createTestDatabase } from "../../support/postgres.ts";
import { TABLES } from "../../support/projections.ts";
import { startTransition, transitionOf } from "../../support/transitions.ts";

const { database } = await createTestDatabase({ anyFlow: true });

async function sql<Row extends object = Record<string, unknown>>(text: string, values: (string | number)[] = []) {
  return (await database.journal.query<Row>(text, values)).rows;
}

async function today(): Promise<number> {
  const [row] = await sql<{ day: number }>("SELECT floor(extract(epoch FROM clock_timestamp()) / 86400)::int AS day");
  return row?.day ?? 0;
}

async function listPartitions(): Promise<string[]> {
  const rows = await sql<{ name: string }>(
    `SELECT c.relname AS name FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
     WHERE i.inhparent = 'orchestrator.journal'::regclass ORDER BY name`,
  );
  return rows.map((row) => row.name);
}

const place = async (runId: string) =>
  (
    await sql<{ place: string }>(
      "SELECT DISTINCT c.relname AS place FROM orchestrator.journal j JOIN pg_class c ON c.oid = j.tableoid WHERE run_id = $1",
      [runId],
    )
  ).map((row) => row.place);

test("partitions from yesterday to three days ahead are made; rows that lay in the default one transition, under load and by many at once", async () => {
  const day = await today();
  await sql("INSERT INTO orchestrator.shard_leases (shard, epoch, instance_id) VALUES (0, 1, 'a')");
  const writer = await createJournal(database, TABLES).openWriter("test");
  const leases = [{ shard: 0, epoch: 1 }];
  for (const offset of [-5, -1, 0, 3])
    await writer.commit(leases, [startTransition(`old-${offset}`, {}, { day: day + offset })]);
  expect(await place("old-0")).toEqual(["journal_other"]);
  const lines: string[] = [];
  const log: Log = { ...silentLog, info: (message, fields) => void lines.push(`${message} ${JSON.stringify(fields)}`) };
  // Batches go on meanwhile.
  let writing = true;
  let written = 0;
  const load = (async () => {
    while (writing) {
      await writer.commit(leases, [startTransition(`new-${written}`, {}, { day })]);
      await writer.commit(leases, [
        transitionOf(`new-${written}`, 2, { day }),
        transitionOf("old-0", 2 + written, { day }),
      ]);
      written += 1;
    }
  })();
  const made = await Promise.all(Array.from({ length: 3 }, () => createPartitions(database, log)));
  writing = false;
  await load;
  await writer.close();
  expect(made.reduce((sum, one) => sum + one)).toBe(5);
  expect(await listPartitions()).toEqual([
    ...[-1, 0, 1, 2, 3].map((offset) => partitionOf(day + offset)),
    "journal_other",
  ]);
  expect(await place("old--5")).toEqual(["journal_other"]);
  for (const offset of [-1, 0, 3]) expect(await place(`old-${offset}`)).toEqual([partitionOf(day + offset)]);
  expect(lines).toContain(`rows of the journal moved into their partition {"day":${day + 3},"rows":1}`);
  const journal = createJournal(database, TABLES);
  expect((await journal.loadRun("old-0"))?.records).toHaveLength(1 + written);
  for (let index = 0; index < written; index += 1)
    expect((await journal.loadRun(`new-${index}`))?.records).toHaveLength(2);
});

test("there is nothing to do the second time", async () => {
  expect(await createPartitions(database, silentLog)).toBe(0);
  const kept = await keepPartitions(database, silentLog);
  await kept.stop();
});

test("a day is dropped with its rows, and nothing else", async () => {
  const day = await today();
  await sql(`DROP TABLE orchestrator.${partitionOf(day + 3)}`);
  expect(await createJournal(database, TABLES).loadRun("old-3")).toMatchObject({ records: [] });
  expect((await createJournal(database, TABLES).loadRun("old--1"))?.records).toHaveLength(1);
  expect(await createPartitions(database, silentLog)).toBe(1);
});

test("a reader that takes its time keeps a partition from being made, and batches waiting for a moment only", async () => {
  const day = await today();
  await sql(`DROP TABLE orchestrator.${partitionOf(day + 3)}`);
  const reader = await database.openSession("reader");
  await reader.query("BEGIN");
  await reader.query("SELECT count(*) FROM orchestrator.journal");
  const lines: string[] = [];
  const kept = keepPartitions(database, { ...silentLog, warn: (message) => void lines.push(message) });
  const writer = await createJournal(database, TABLES).openWriter("test");
  const before = performance.now();
  await writer.commit([{ shard: 0, epoch: 1 }], [startTransition("beside-the-reader", {}, { day })]);
  expect(performance.now() - before).toBeLessThan(4_000);
  await writer.close();
  await (await kept).stop();
  expect(lines).toHaveLength(1);
  await reader.query("COMMIT");
  await reader.close();
  expect(await createPartitions(database, silentLog)).toBe(1);
});

test("what docs/operate/retention.md runs drops the empty days of the past and no others", async () => {
  const [, setting = "", block = ""] =
    /```sql\n(SET [^;]+);\n(DO [\s\S]+?)```/.exec(readFileSync("docs/operate/retention.md", "utf8")) ?? [];
  const day = await today();
  const [empty, used] = [day - 40, day - 39];
  for (const past of [empty, used])
    await sql(
      `CREATE TABLE orchestrator.${partitionOf(past)} PARTITION OF orchestrator.journal FOR VALUES FROM (${past}) TO (${past + 1})`,
    );
  const writer = await createJournal(database, TABLES).openWriter("test");
  await writer.commit([{ shard: 0, epoch: 1 }], [startTransition("of-a-past-day", {}, { day: used })]);
  await writer.close();
  const before = await listPartitions();
  const session = await database.openSession("operator");
  for (const statement of [setting, block]) await session.query(statement);
  await session.close();
  expect(await listPartitions()).toEqual(before.filter((name) => name !== partitionOf(empty)));
  expect(await place("of-a-past-day")).toEqual([partitionOf(used)]);
});
