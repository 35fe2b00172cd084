/** Lists of open runs: a million that have ended cost nothing. */
import { expect, test } from "vitest";
import { parseRunFilter, toStoreFilter } from "../../../src/api/lists/run-filter.ts";
import { createRunIndex } from "../../../src/store/run-index.ts";
import type { Database } from "../../../src/store/sql/pool.ts";
import { createTestDatabase } from "../../support/postgres.ts";

const { database } = await createTestDatabase({ anyFlow: true });

const OPEN = ["QUEUED", "RUNNING", "WAITING", "PAUSED", "SUSPENDED", "QUARANTINED", "CANCELING", "COMPENSATING"];
const ENDED = ["COMPLETED", "FAILED", "CANCELED", "TERMINATED", "TIMED_OUT"];

/** The index, and the statements that it sends. */
function spy() {
  const texts: string[] = [];
  const reads: Database["reads"] = {
    ...database.reads,
    query: (statement, values, signal) => {
      texts.push(typeof statement === "string" ? statement : statement.text);
      return database.reads.query(statement, values, signal);
    },
  };
  return { index: createRunIndex({ ...database, reads }), texts };
}

// Cause: no index holds the state RUNNING, which every start would write, so a list of running runs read all runs: 250
// ms for a million.
test.each([
  ['state == "RUNNING"', ["RUNNING"], true],
  ['phase == "RUNNING"', ["PAUSED", "QUARANTINED", "RUNNING", "SUSPENDED", "WAITING"], true],
  ['state in ["RUNNING", "QUEUED"] && flow_id == "f"', ["QUEUED", "RUNNING"], true],
  ['state == "QUEUED" || state == "PAUSED"', ["PAUSED", "QUEUED"], true],
  ['state == "RUNNING" || state == "FAILED"', ["FAILED", "RUNNING"], false],
  ['state in ["RUNNING", "COMPLETED"]', ["COMPLETED", "RUNNING"], false],
  ['!(state == "RUNNING")', [...OPEN, ...ENDED].filter((state) => state !== "RUNNING").toSorted(), false],
  ['state != "RUNNING" && state == "FAILED"', ["FAILED"], false],
])("%s lists what it says, and asks for open runs where it can", async (text, expected, readsOpenOnly) => {
  await database.journal.query("DELETE FROM orchestrator.runs");
  await database.journal.query(
    `INSERT INTO orchestrator.runs (run_id, shard, run_day, tenant_id, flow_id, version, flow_hash, state, moving, sequence, user_id, correlation_id,
       run_key, parent_run_id, parent_task, created_at, updated_at, ended_at)
     SELECT 'r-' || state, 0, 0, 'default', 'f', '1', '', state, false, 1, '', '', '', '', '', now(), now(), CASE WHEN ended THEN now() END
     FROM unnest($1::text[], $2::bool[]) AS made (state, ended)`,
    [
      [...OPEN, ...ENDED],
      [...OPEN.map(() => false), ...ENDED.map(() => true)],
    ],
  );
  const { index, texts } = spy();
  const condition = parseRunFilter(text);
  const filter = condition === null ? null : toStoreFilter(condition);
  const caller = { tenantId: "default", actor: "" };
  const runs = await index.listRuns(caller, filter, null, 50);
  expect(runs.map(({ state }) => state).toSorted()).toEqual(expected);
  expect(texts.map((sent) => sent.includes("ended_at IS NULL"))).toEqual([readsOpenOnly]);
});
