/** Runs that were written lately, for watches that have missed something. */
import { expect, test } from "vitest";
import { DELETED } from "../../../src/store/journal/deletions.ts";
import { CHANGED, createRunIndex } from "../../../src/store/run-index.ts";
import { createTestDatabase } from "../../support/postgres.ts";

const { database } = await createTestDatabase({ anyFlow: true });

test("runs of the tenant that changed in the last while come in the order of their changes, and of too many the newest", async () => {
  await database.journal.query(
    `INSERT INTO orchestrator.runs (run_id, shard, run_day, tenant_id, flow_id, version, flow_hash, state, moving, sequence, user_id, correlation_id,
       run_key, parent_run_id, parent_task, created_at, updated_at)
     SELECT name, 0, 0, tenant, 'f', '1', '', 'COMPLETED', false, 1, '', '', '', '', '', now() - interval '9 days', clock_timestamp() - age * interval '1 second'
     FROM (VALUES ('old', 'default', 500), ('first', 'default', 60), ('third', 'default', 20), ('second', 'default', 40), ('foreign', 'other', 10)) AS run (name, tenant, age)`,
  );
  const index = createRunIndex(database);
  const caller = { tenantId: "default", actor: "" };
  const list = async (ageMs: number, limit: number) =>
    (await index.listChanged(caller, ageMs, limit)).map(({ runId }) => runId);
  expect(await list(300_000, 10)).toEqual(["first", "second", "third"]);
  expect(await list(300_000, 2)).toEqual(["second", "third"]);
  expect(await list(30_000, 10)).toEqual(["third"]);
});

test("runs that were deleted are among those that changed, in the order of time, with what the tombstone keeps", async () => {
  await database.journal.query(
    `INSERT INTO orchestrator.starts (tenant_id, kind, key, run_id, request_hash, last_sequence, last_state, created_at)
     SELECT tenant, kind, name, name, '', sequence, 'FAILED', clock_timestamp() - age * interval '1 second'
     FROM (VALUES ('gone', 'default', 'deleted', 8, 30), ('gone-long', 'default', 'deleted', 8, 900), ('gone-foreign', 'other', 'deleted', 8, 30),
       ('started', 'default', 'request', NULL, 30)) AS start (name, tenant, kind, sequence, age)`,
  );
  const changed = await createRunIndex(database).listChanged({ tenantId: "default", actor: "" }, 300_000, 10);
  expect(changed.map(({ runId, deleted = false }) => ({ runId, deleted }))).toEqual([
    { runId: "first", deleted: false },
    { runId: "second", deleted: false },
    { runId: "gone", deleted: true },
    { runId: "third", deleted: false },
  ]);
  expect(changed[2]).toMatchObject({ sequence: 8, state: "FAILED", endedAt: null });
});

test("runs that changed are read from their index, not by a scan of all runs", async () => {
  // Cause: the condition compared with clock_timestamp(), which is volatile, so that not even an index would have been
  // used. A million runs took 0.6 s.
  const plan = await database.journal.transaction(async (runner) => {
    // A table of five rows is scanned whenever it can be.
    await runner.query("SET LOCAL enable_seqscan = off");
    await runner.query("SET LOCAL enable_sort = off");
    await runner.query(`PREPARE changed (text, float8, int) AS ${CHANGED.text}`);
    const { rows } = await runner.query<{ "QUERY PLAN": string }>("EXPLAIN EXECUTE changed ('default', 1000, 10)");
    await runner.query("DEALLOCATE changed");
    return rows.map((row) => row["QUERY PLAN"]).join("\n");
  });
  expect(plan).toMatch(/Index Scan Backward using runs_changed/);
  expect(plan).toMatch(/Index Cond: .*tenant_id.*updated_at >=/);
  expect(plan).not.toContain("Filter");
});

test("deleted runs are read from their index, not by a scan of all starts", async () => {
  const plan = await database.journal.transaction(async (runner) => {
    await runner.query("SET LOCAL enable_seqscan = off");
    await runner.query("SET LOCAL enable_sort = off");
    await runner.query(`PREPARE deleted (text, float8, int) AS ${DELETED.text}`);
    const { rows } = await runner.query<{ "QUERY PLAN": string }>("EXPLAIN EXECUTE deleted ('default', 1000, 10)");
    await runner.query("DEALLOCATE deleted");
    return rows.map((row) => row["QUERY PLAN"]).join("\n");
  });
  expect(plan).toMatch(/Index Scan Backward using starts_deleted/);
  expect(plan).not.toContain("Filter");
});
