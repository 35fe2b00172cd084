/**
 * What PostgreSQL expects of the filters of lists.
 *
 * Cause: ListRuns leaves out flows of the service by conditions that were wrapped in `coalesce`, of each of which
 * PostgreSQL expects that it keeps half of the rows. For a user with one run in a thousand it gave up the index that
 * has the order of the list, read all of a million runs, and sorted them.
 */
import { expect, test } from "vitest";
import { parseRunFilter, toStoreFilter } from "../../../src/api/lists/run-filter.ts";
import { createRunIndex } from "../../../src/store/run-index.ts";
import type { SqlRunner, SqlValue } from "../../../src/store/sql/sql.ts";
import { createTestDatabase } from "../../support/postgres.ts";

const { database } = await createTestDatabase({ anyFlow: true });
const caller = { tenantId: "default" } as never;

const RUNS = 20_000;

await database.reads.query(
  `INSERT INTO orchestrator.runs (run_id, shard, run_day, tenant_id, flow_id, version, flow_hash, state, moving, sequence,
     user_id, correlation_id, run_key, parent_run_id, parent_task, created_at, updated_at, ended_at)
   SELECT 'run-' || n, 0, 0, 'default', 'flow-' || n % 20, '1', '', 'COMPLETED', false, 8, 'user-' || n % 100, '', '', '', '',
     now() - n * interval '1 s', now(), now() FROM generate_series(1, $1::int) n`,
  [RUNS],
);
await database.reads.query("ANALYZE orchestrator.runs");

/** How many runs PostgreSQL expects to find. */
async function expectedRows(filter: string): Promise<number> {
  let asked: readonly [string, readonly SqlValue[]] | undefined;
  const query: SqlRunner["query"] = async (statement, values = []) => {
    asked = [String(statement), values];
    return { rows: [], count: 0 };
  };
  const index = createRunIndex({ ...database, reads: { ...database.reads, query } });
  await index.listRuns(caller, toStoreFilter(parseRunFilter(filter)), null, RUNS);
  const [text = "", values = []] = asked ?? [];
  const { rows } = await database.reads.query<{ "QUERY PLAN": [{ Plan: { "Plan Rows": number } }] }>(
    `EXPLAIN (FORMAT JSON) ${text}`,
    values,
  );
  return rows[0]?.["QUERY PLAN"][0].Plan["Plan Rows"] ?? 0;
}

test.each([
  ["", RUNS],
  ['user_id == "user-7"', RUNS / 100],
  ['user_id != "user-7"', RUNS * 0.99],
  ['!(user_id == "user-7" || user_id == "user-8")', RUNS * 0.98],
  ['flow_id == "flow-3" && state != "FAILED"', RUNS / 20],
])("a list with the filter '%s' expects about as many runs as there are", async (filter, count) => {
  const rows = await expectedRows(filter);
  expect(rows).toBeGreaterThan(count / 2);
  expect(rows).toBeLessThanOrEqual(count * 2);
});
