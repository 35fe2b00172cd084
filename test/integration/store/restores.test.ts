/** What `orchestrator restore finish` does to a database, and which databases an instance refuses. */
import { beforeEach, expect, onTestFinished, test } from "vitest";
import { silentLog } from "../../../src/base/log.ts";
import { createJournal } from "../../../src/store/journal/journal.ts";
import { openLeases } from "../../../src/store/leases.ts";
import { finishRestore, readRestoreFacts } from "../../../src/store/restores.ts";
import { openDatabase } from "../../../src/store/sql/pool.ts";
import { createTestDatabase } from "../../support/postgres.ts";
import { TABLES } from "../../support/projections.ts";
import { startTransition } from "../../support/transitions.ts";

const { database, target } = await createTestDatabase({ anyFlow: true });
const journal = createJournal(database, TABLES);
const options = {
  ...{ instanceId: "a", address: "host:1", ttlMs: 60_000, shards: 4, alone: false, reads: 5, release: "test" },
};
const HELD = [{ shard: 0, epoch: 1 }];

beforeEach(async () => {
  await sql(
    "TRUNCATE orchestrator.runs, orchestrator.journal, orchestrator.instances, orchestrator.shard_leases, orchestrator.settings",
  );
  await openLeases(database, options);
  await sql("UPDATE orchestrator.shard_leases SET epoch = 1, instance_id = 'a'");
  await sql("DELETE FROM orchestrator.instances");
});

async function sql<Row extends object = Record<string, unknown>>(text: string, values: (string | number)[] = []) {
  return (await database.journal.query<Row>(text, values)).rows;
}

async function startRuns(...ids: string[]): Promise<void> {
  const writer = await journal.openWriter("test");
  onTestFinished(() => writer.close());
  await writer.commit(
    HELD,
    ids.map((id) => startTransition(id)),
  );
}

const baseOf = async (): Promise<number> =>
  Number(
    (await sql<{ value: string }>("SELECT value FROM orchestrator.settings WHERE name = 'sequence_base'"))[0]?.value,
  );

test("numbers rise with the age of the backup, so that a second restore of it is above the first", async () => {
  await startRuns("r");
  await sql("UPDATE orchestrator.runs SET updated_at = clock_timestamp() - interval '1 hour'");
  expect(await finishRestore(database, "ann", 5)).toBe(1);
  const base = await baseOf();
  expect(base).toBeGreaterThanOrEqual(1_000_000 + 20 * 3_600);
  expect(await journal.loadRun("r")).toMatchObject({ sequence: base + 2, records: { length: 2 } });
  expect((await sql<{ epoch: number }>("SELECT DISTINCT epoch FROM orchestrator.shard_leases"))[0]?.epoch).toBe(
    base + 1,
  );
  // What is finished once more, at once, rises once more.
  expect(await finishRestore(database, "ann", 5)).toBe(1);
  expect(await baseOf()).toBeGreaterThanOrEqual(base + 1_000_000);
  expect((await openLeases(database, options)).firstSequence).toBe((await baseOf()) + 1);
});

test("a damaged run is left alone, and the others are told", async () => {
  await startRuns("good", "far", "long");
  await sql("UPDATE orchestrator.journal SET sequence = 2147000000 WHERE run_id = 'far'");
  await sql("UPDATE orchestrator.journal SET record_count = 2147483647 WHERE run_id = 'long'");
  expect(await finishRestore(database, "ann", 5)).toBe(1);
});

test("a role that may not see the server finishes, and has the same database before and after", async () => {
  await sql("REVOKE EXECUTE ON FUNCTION pg_control_system() FROM public");
  await sql("DROP ROLE IF EXISTS restorer");
  await sql("CREATE ROLE restorer LOGIN");
  await sql("GRANT ALL ON SCHEMA orchestrator TO restorer");
  for (const kind of ["TABLES", "SEQUENCES", "FUNCTIONS"])
    await sql(`GRANT ALL ON ALL ${kind} IN SCHEMA orchestrator TO restorer`);
  const own = await openDatabase({ target: { ...target, user: "restorer" }, log: silentLog });
  onTestFinished(async () => {
    await own.close();
    await sql("DROP OWNED BY restorer");
    await sql("DROP ROLE restorer");
    await sql("GRANT EXECUTE ON FUNCTION pg_control_system() TO public");
  });
  await openLeases(own, options);
  await sql("UPDATE orchestrator.settings SET value = value || '9' WHERE name = 'database_identity'");
  await sql("DELETE FROM orchestrator.instances");
  await expect(openLeases(own, { ...options, instanceId: "b" })).rejects.toMatchObject({ code: "STORE_RESTORED" });
  await finishRestore(own, "ann", 5);
  await openLeases(own, { ...options, instanceId: "b" });
  await openLeases(database, { ...options, instanceId: "c" });
});

test("tables that were loaded from a dump into the same database are another database", async () => {
  // As `pg_restore --clean` does it.
  await sql("CREATE TABLE orchestrator.loaded (LIKE orchestrator.settings INCLUDING ALL)");
  await sql("INSERT INTO orchestrator.loaded SELECT * FROM orchestrator.settings");
  await sql("DROP TABLE orchestrator.settings");
  await sql("ALTER TABLE orchestrator.loaded RENAME TO settings");
  await expect(openLeases(database, options)).rejects.toMatchObject({ code: "STORE_RESTORED" });
  expect(await sql("SELECT FROM orchestrator.instances")).toEqual([]);
});

test("an instance that was not registered while a restore was finished does not come back", async () => {
  const { leases } = await openLeases(database, options);
  await expect(finishRestore(database, "ann", 5)).rejects.toMatchObject({ code: "RESTORE_INSTANCE_ALIVE" });
  await sql("UPDATE orchestrator.instances SET expires_at = clock_timestamp() - interval '1 s'");
  await finishRestore(database, "ann", 5);
  await expect(leases.acquire(undefined, { renews: true })).rejects.toMatchObject({ code: "STORE_RESTORED" });
  await expect(leases.renew()).rejects.toMatchObject({ code: "STORE_RESTORED" });
  expect(await sql("SELECT FROM orchestrator.instances")).toEqual([]);
});

test.each(["abc", "", "1.5", "-5", "99999999999", "2147483647"])(
  "a sequence base of '%s' is refused by its name",
  async (value) => {
    await sql("UPDATE orchestrator.settings SET value = $1 WHERE name = 'sequence_base'", [value]);
    await expect(openLeases(database, options)).rejects.toMatchObject({
      code: "CONFIG_INVALID",
      message: expect.stringContaining("sequence_base"),
    });
  },
);

// Cause: of `infinity` the server takes no difference, and one damaged row kept a restore from its end.
test.each(["'infinity'", "'-infinity'", "'290000-01-01'"])(
  "a run that says it was changed at %s, or an old backup, keeps no restore from its end",
  async (time) => {
    await startRuns("r", "s");
    await sql(`UPDATE orchestrator.runs SET updated_at = ${time} WHERE run_id = 'r'`);
    await sql("UPDATE orchestrator.runs SET updated_at = clock_timestamp() - interval '20 years' WHERE run_id = 's'");
    await sql(
      `INSERT INTO orchestrator.kafka_offsets (cluster_id, topic_id, topic, partition, next_offset, generation)
    VALUES ('c', 'i', 't', 0, 9007199254740993, 1) ON CONFLICT DO NOTHING`,
    );
    expect((await readRestoreFacts(database.reads)).offsets).toEqual([
      { topic: "t", partition: 0, next: "9007199254740993" },
    ]);
    expect(await finishRestore(database, "ann", 5)).toBe(2);
    expect(await baseOf()).toBe(1_000_000_000);
  },
);

test("an instance that is registered for ever is named with the last time that there is", async () => {
  await openLeases(database, options);
  await sql("UPDATE orchestrator.instances SET expires_at = 'infinity'");
  await expect(finishRestore(database, "ann", 5)).rejects.toMatchObject({
    ...{ code: "RESTORE_INSTANCE_ALIVE", details: { until: "9999-12-31T23:59:59.999Z" } },
  });
});
