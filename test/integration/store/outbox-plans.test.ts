/** The statements of the outbox cost what they return, whatever else the table has or had. */
import { expect, test } from "vitest";
import { silentLog } from "../../../src/base/log.ts";
import { createOutbox } from "../../../src/store/bus/outbox.ts";
import { openDatabase } from "../../../src/store/sql/pool.ts";
import { createTestDatabase } from "../../support/postgres.ts";

const { target } = await createTestDatabase();

// Cause: the plan of the deletion was made while the table was small, and kept. A page of 90 messages then read the
// whole table, 2,300 blocks, on its way to 10 ms a page.
test("a plan that is made while the outbox is empty does not read all of it later", async () => {
  // One connection, which keeps its plans.
  const database = await openDatabase({ target, log: silentLog, readConnections: 1 });
  try {
    const { reads } = database;
    const outbox = createOutbox(database, "kafka");
    const scanned = async (): Promise<number> => {
      await reads.query("SELECT pg_stat_force_next_flush()");
      const { rows } = await reads.query<{ seq_tup_read: number }>(
        "SELECT seq_tup_read FROM pg_stat_user_tables WHERE relname = 'outbox'",
      );
      return rows[0]?.seq_tup_read ?? 0;
    };
    const takeOne = async (): Promise<void> => {
      const [first] = await outbox.list([0], [], []);
      await outbox.list([0], [], ["other"]);
      await outbox.reject([]);
      await outbox.delete(first === undefined ? [] : [first.id]);
    };
    // The server then knows that the table is empty, and it chooses a plan for all values after five executions.
    await reads.query("VACUUM orchestrator.outbox");
    for (let times = 0; times < 8; times += 1) await takeOne();
    await reads.query(`INSERT INTO orchestrator.outbox (shard, run_id, task_path, tenant_id, topic, key, payload, created_at)
      SELECT 0, 'r', '', '', 't', 'k', '{}', now() FROM generate_series(1, 20000)`);
    const before = await scanned();
    await takeOne();
    expect((await scanned()) - before).toBe(0);
  } finally {
    await database.close();
  }
});
