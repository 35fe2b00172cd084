/** Filters on labels, and the index behind them. */
import { expect, test } from "vitest";
import type { Filter } from "../../../src/engine/ports/run-index.ts";
import { createRunIndex } from "../../../src/store/run-index.ts";
import { takeAnyFlow } from "../../support/postgres.ts";
import { startOf } from "../../support/start-of.ts";
import { CALLER, createBed } from "../engine/bed.ts";

const bed = createBed();

const isLabel = (key: string, value: string): Filter => ({ op: "==", field: { name: "labels", key }, value });

test("labels are compared exactly, whatever they hold, and runs without labels are no match", async () => {
  await bed.register("one", [{ id: "a", type: "noop" }]);
  const instance = await bed.openInstance();
  const labels: Readonly<Record<string, Readonly<Record<string, string>>>> = {
    plain: {},
    red: { color: "red", "a.b/c-d_e": 'x"y\\z' },
    blue: { color: "blue", size: "red" },
    long: { color: "red ", empty: "" },
  };
  for (const [runId, own] of Object.entries(labels))
    await instance.engine.startRun(CALLER, startOf("one", { runId, labels: own }), 0);
  const index = createRunIndex(bed.database);
  const find = async (filter: Filter): Promise<string[]> =>
    (await index.listRuns(CALLER, filter, null, 10)).map((run) => run.runId).toSorted();
  expect(await find(isLabel("color", "red"))).toEqual(["red"]);
  expect(await find(isLabel("a.b/c-d_e", 'x"y\\z'))).toEqual(["red"]);
  expect(await find(isLabel("empty", ""))).toEqual(["long"]);
  expect(await find(isLabel('a"b\\c', "x"))).toEqual([]);
  expect(await find({ op: "not", arg: isLabel("color", "red") })).toEqual(["blue", "long", "plain"]);
  const color = { name: "labels", key: "color" } as const;
  expect(await find({ op: "in", field: color, values: ["red", "blue"] })).toEqual(["blue", "red"]);
  expect(await find({ op: "in", field: color, values: [] })).toEqual([]);
  expect(await find({ op: "!=", field: color, value: "red" })).toEqual(["blue", "long", "plain"]);
});

// A label that one run of a million has was looked for in all of them.
test("a rare label is found by the index", async () => {
  await takeAnyFlow(bed.database);
  await bed.sql(
    `INSERT INTO orchestrator.runs (run_id, shard, run_day, tenant_id, flow_id, version, flow_hash, state, moving, sequence, labels, user_id, correlation_id,
       run_key, parent_run_id, parent_task, created_at, updated_at)
     SELECT 'r' || n, 0, 0, 'default', 'f', '1', '', 'WAITING', false, 1, jsonb_build_object('order', 'o' || n), '', '', '', '', '', now(), now()
     FROM generate_series(1, 5000) AS n`,
  );
  await bed.sql("ANALYZE orchestrator.runs");
  const plan = await bed.sql<{ "QUERY PLAN": string }>(
    `EXPLAIN SELECT run_id FROM orchestrator.runs WHERE tenant_id = 'default' AND labels @> '{"order": "o7"}'::jsonb ORDER BY created_at DESC LIMIT 50`,
  );
  expect(plan.map((row) => row["QUERY PLAN"]).join("\n")).toContain("runs_labels");
});
