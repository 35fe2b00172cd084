/** Approvals of a database from before they had ids. */
import { expect, onTestFinished, test } from "vitest";
import { silentLog } from "../../../src/base/log.ts";
import { createJournal } from "../../../src/store/journal/journal.ts";
import { readMigrations, runMigrations } from "../../../src/store/sql/migrate.ts";
import { addLaterColumns, createTestDatabase } from "../../support/postgres.ts";
import { TABLES } from "../../support/projections.ts";
import { startTransition, transitionOf } from "../../support/transitions.ts";

test("approvals from before the ids get the number of the event that asked last; unreadable ones leave the list", async () => {
  const { database } = await createTestDatabase({ empty: true });
  const migrations = readMigrations();
  const before = migrations.findIndex(({ name }) => name.endsWith("_approval_ids.sql"));
  await runMigrations(database, silentLog, migrations.slice(0, before));
  await addLaterColumns(database);
  await database.journal.query("INSERT INTO orchestrator.shard_leases (shard, epoch, instance_id) VALUES (0, 1, 'a')");
  const writer = await createJournal(database, TABLES).openWriter("older");
  onTestFinished(() => writer.close());
  const leases = [{ shard: 0, epoch: 1 }];
  await writer.commit(leases, [startTransition("one"), startTransition("broken")]);
  const asks = (task: string) =>
    ({ type: "task.suspended", at: 1, task, key: "k", wait: { kind: "approval" }, value: {}, dueAt: null }) as const;
  const answer = { type: "task.dispatched", at: 2, task: "a", attempt: 1 } as const;
  await writer.commit(leases, [
    transitionOf("one", 2, { records: [asks("a"), asks("b")] }),
    transitionOf("broken", 2, { records: [asks("a")] }),
  ]);
  await writer.commit(leases, [transitionOf("one", 4, { records: [answer, asks("a")] })]);
  const insert = `INSERT INTO orchestrator.approvals (run_id, task_path, tenant_id, flow_id, state, parameters, created_at)
    VALUES ($1, $2, 't', 'f', 'PENDING', '{}', clock_timestamp())`;
  for (const [runId, task] of [
    ["one", "a"],
    ["one", "b"],
    ["broken", "a"],
    ["gone", "a"],
  ] as const)
    await database.journal.query(insert, [runId, task]);
  await database.journal.query("UPDATE orchestrator.journal SET records = 'not json' WHERE run_id = 'broken'");
  await runMigrations(database, silentLog);
  const { rows } = await database.reads.query(
    "SELECT run_id, task_path, approval_id FROM orchestrator.approvals ORDER BY approval_id",
  );
  expect(rows).toEqual([
    { run_id: "one", task_path: "b", approval_id: 3 },
    { run_id: "one", task_path: "a", approval_id: 5 },
  ]);
});
