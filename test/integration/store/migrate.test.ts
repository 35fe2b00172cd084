import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { silentLog } from "../../../src/base/log.ts";
import { readMigrations, readSchemaStatus, runMigrations } from "../../../src/store/sql/migrate.ts";
import { openDatabase } from "../../../src/store/sql/pool.ts";
import { createTestDatabase, type TestDatabase } from "../../support/postgres.ts";
import { createTemporaryFolder } from "../../support/temporary-folder.ts";

function writeMigrations(files: Record<string, string>): string {
  const folder = createTemporaryFolder();
  for (const [name, sql] of Object.entries(files)) writeFileSync(join(folder, name), sql);
  return folder;
}

const FIRST = { "000001_one.sql": "CREATE TABLE one (id int PRIMARY KEY); INSERT INTO one VALUES (1);" };
const SECOND = { ...FIRST, "000002_two.sql": "ALTER TABLE one ADD COLUMN name text; INSERT INTO one VALUES (2, 'b');" };

describe("migrations", () => {
  let test1: TestDatabase;
  let test2: TestDatabase;
  let test3: TestDatabase;
  beforeAll(async () => {
    test1 = await createTestDatabase({ empty: true });
    test2 = await createTestDatabase({ empty: true });
    test3 = await createTestDatabase({ empty: true });
  });

  test("are applied in order, once, and each leaves a row", async () => {
    const { database } = test1;
    expect(await runMigrations(database, silentLog, readMigrations(writeMigrations(FIRST)))).toEqual({
      version: 1,
      applied: ["000001_one.sql"],
    });
    const both = readMigrations(writeMigrations(SECOND));
    expect(await runMigrations(database, silentLog, both)).toEqual({ version: 2, applied: ["000002_two.sql"] });
    expect(await runMigrations(database, silentLog, both)).toEqual({ version: 2, applied: [] });
    const { rows } = await database.reads.query("SELECT id, name FROM one ORDER BY id");
    expect(rows).toEqual([
      { id: 1, name: null },
      { id: 2, name: "b" },
    ]);
    expect((await database.reads.query("SELECT version FROM orchestrator.schema_migrations ORDER BY 1")).rows).toEqual([
      { version: 1 },
      { version: 2 },
    ]);
  });

  test("refuse a database that a newer build has written", async () => {
    await expect(
      runMigrations(test1.database, silentLog, readMigrations(writeMigrations(FIRST))),
    ).rejects.toMatchObject({
      code: "STORE_TOO_NEW",
      details: { found: 2, needed: 2, known: 1 },
    });
  });

  test("leave a database as it is that a newer release has migrated and older ones can work on", async () => {
    const { database } = test3;
    const additions = {
      "000002_two.sql": "-- min_reader: 1\nALTER TABLE one ADD COLUMN name text",
      "000003_three.sql": "-- min_reader: 1\nALTER TABLE one ADD COLUMN size int",
    };
    const newer = readMigrations(writeMigrations({ ...FIRST, ...additions }));
    expect((await runMigrations(database, silentLog, newer)).version).toBe(3);
    const older = readMigrations(writeMigrations(FIRST));
    expect(await runMigrations(database, silentLog, older)).toEqual({ version: 3, applied: [] });
    expect(await readSchemaStatus(database.reads, older)).toEqual({ version: 3, minReader: 1, pending: [] });
    const removal = { "000004_four.sql": "-- min_reader: 3\nALTER TABLE one DROP COLUMN name" };
    const newest = readMigrations(writeMigrations({ ...FIRST, ...additions, ...removal }));
    expect((await readSchemaStatus(database.reads, newest)).pending).toEqual(["000004_four.sql"]);
    await runMigrations(database, silentLog, newest);
    expect((await runMigrations(database, silentLog, newer)).version).toBe(4);
    await expect(runMigrations(database, silentLog, older)).rejects.toMatchObject({
      code: "STORE_TOO_NEW",
      message: expect.stringMatching(/migration 4, which needs a release that knows 3, and this one knows 1/),
    });
  });

  test("declare no reader that is older than one before, or newer than themselves", () => {
    const two = (least: number) => ({ ...FIRST, "000002_two.sql": `-- min_reader: ${least}\nSELECT 1` });
    const three = { "000003_three.sql": "-- min_reader: 1\nSELECT 1" };
    expect(() => readMigrations(writeMigrations(two(3)))).toThrow(/000002_two\.sql: expected min_reader from 1 to 2/);
    expect(() => readMigrations(writeMigrations({ ...two(2), ...three }))).toThrow(/expected min_reader from 2 to 3/);
  });

  test("refuse a file that was edited after it was applied", async () => {
    const edited = { ...SECOND, "000001_one.sql": "CREATE TABLE other (id int)" };
    await expect(
      runMigrations(test1.database, silentLog, readMigrations(writeMigrations(edited))),
    ).rejects.toMatchObject({
      code: "MIGRATION_INVALID",
      details: { migration: "000001_one.sql" },
    });
  });

  test("that fail leave nothing of themselves and are named with the server's words", async () => {
    const broken = { ...SECOND, "000003_three.sql": "CREATE TABLE three (id int); INSERT INTO nowhere VALUES (1);" };
    await expect(
      runMigrations(test1.database, silentLog, readMigrations(writeMigrations(broken))),
    ).rejects.toMatchObject({
      code: "MIGRATION_INVALID",
      message: expect.stringMatching(/000003_three\.sql.*"nowhere" does not exist/),
    });
    expect((await test1.database.reads.query("SELECT to_regclass('three') AS found")).rows).toEqual([{ found: null }]);
  });

  test("run once when several instances start together", async () => {
    const files = Object.fromEntries(
      Array.from({ length: 5 }, (_, index) => [
        `00000${index + 1}_step.sql`,
        `SELECT pg_sleep(0.05); CREATE TABLE step${index} (id int);`,
      ]),
    );
    const migrations = readMigrations(writeMigrations(files));
    const others = await Promise.all([1, 2, 3].map(() => openDatabase({ target: test2.target, log: silentLog })));
    const results = await Promise.all(others.map((database) => runMigrations(database, silentLog, migrations)));
    await Promise.all(others.map((database) => database.close()));
    expect(results.map((result) => result.version)).toEqual([5, 5, 5]);
    expect(results.flatMap((result) => result.applied).sort()).toEqual(Object.keys(files));
  });

  test("must be numbered without gaps", () => {
    const folder = writeMigrations({ ...FIRST, "000003_three.sql": "" });
    expect(() => readMigrations(folder)).toThrow(/000003_three\.sql: expected number 000002/);
  });
});

describe("a database that has a table under the name of one of our views", async () => {
  const { database } = await createTestDatabase({ empty: true });
  const warnings: unknown[] = [];
  const log = { ...silentLog, warn: (_: string, fields?: object) => void warnings.push(fields) };
  const placesOf = async (name: string): Promise<readonly string[]> => {
    const { rows } = await database.reads.query<{ place: string }>(
      `SELECT relnamespace::regnamespace || ' ' || relkind::text AS place FROM pg_class WHERE relname = $1 ORDER BY 1`,
      [name],
    );
    return rows.map(({ place }) => place);
  };
  const migrate = (schema?: string) => runMigrations(database, log, undefined, schema);

  test("is left as it is, and has the views in our schema, with a warning", async () => {
    await database.journal.query("CREATE TABLE public.flow_run_history (id int)");
    expect((await migrate()).version).toBe(readMigrations().length);
    expect(await placesOf("flow_run_history")).toEqual(["orchestrator v", "public r"]);
    expect(await placesOf("task_execution_history")).toEqual(["orchestrator v"]);
    const warning = {
      taken: ["public.flow_run_history"],
      shown: ["orchestrator.flow_run_history", "orchestrator.task_execution_history"],
    };
    expect(warnings.splice(0)).toEqual([warning]);
    await migrate();
    expect(warnings.splice(0)).toEqual([warning]);
  });

  test("has them in the schema that the settings name, and in public as soon as the names are free", async () => {
    await migrate("seeds");
    expect(await placesOf("task_execution_history")).toEqual(["seeds v"]);
    await database.journal.query("ALTER TABLE public.flow_run_history RENAME TO flow_run_history_old");
    await migrate();
    expect(await placesOf("flow_run_history")).toEqual(["public v"]);
    expect(warnings).toEqual([]);
    expect((await database.reads.query("SELECT * FROM public.task_execution_history")).rows).toEqual([]);
  });

  test("gets later migrations of the views where they are", async () => {
    await migrate("seeds");
    const all = readMigrations();
    const sql = "COMMENT ON VIEW public.flow_run_history IS 'later'";
    const later = { version: all.length + 1, name: "later.sql", sql, checksum: "later", minReader: 1 };
    await runMigrations(database, log, [...all, later], "seeds");
    const { rows } = await database.reads.query("SELECT obj_description('seeds.flow_run_history'::regclass) AS text");
    expect(rows).toEqual([{ text: "later" }]);
  });
});
