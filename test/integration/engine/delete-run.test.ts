/** Deletion of runs: all that a run holds goes in one statement, the id stays taken. */
import { expect, test } from "vitest";
import { eventually } from "../../support/eventually.ts";
import { startOf } from "../../support/start-of.ts";
import { CALLER, createBed } from "./bed.ts";

const bed = createBed();

const SECRET = "a-secret-of-somebody";

test("an ended run is erased, its id stays taken, and every call says that it was deleted", async () => {
  await bed.register("gate", [
    { id: "ask", type: "approval", parameters: { title: "Go on?" } },
    { id: "go", type: "signal", parameters: { name: "go" } },
  ]);
  const { engine } = await bed.openInstance({});
  const start = startOf("gate", {
    runId: "mine",
    requestId: "r",
    requestHash: "h",
    signals: [{ name: "x", payload: SECRET }],
  });
  await eventually(() => engine.startRun(CALLER, start, 0));
  await expect(engine.deleteRun(CALLER, "mine")).rejects.toMatchObject({ code: "RUN_STATE_INVALID" });
  await engine.terminateRun(CALLER, "mine", SECRET);
  await expect(engine.deleteRun({ ...CALLER, tenantId: "other" }, "mine")).rejects.toMatchObject({
    code: "RUN_NOT_FOUND",
  });
  const deletedAt = await engine.deleteRun(CALLER, "mine");
  expect(await engine.deleteRun(CALLER, "mine")).toBe(deletedAt);
  for (const call of [
    () => engine.getRun(CALLER, "mine"),
    () => engine.signalRun(CALLER, "mine", "go", null),
    () => engine.startRun(CALLER, start, 0),
  ])
    await expect(call()).rejects.toMatchObject({ code: "RUN_DELETED", grpc: "NOT_FOUND", details: { runId: "mine" } });
  await expect(engine.getRun({ ...CALLER, tenantId: "other" }, "mine")).rejects.toMatchObject({
    code: "RUN_NOT_FOUND",
  });
  await expect(engine.startRun(CALLER, startOf("gate", { runId: "mine" }), 0)).rejects.toMatchObject({
    code: "RUN_ALREADY_EXISTS",
  });
  const tables = await bed.sql<{ table_name: string }>(
    `SELECT c.relname AS table_name FROM pg_class c WHERE c.relnamespace = 'orchestrator'::regnamespace AND c.relkind IN ('r', 'p')`,
  );
  for (const { table_name } of tables) {
    const rows = await bed.sql(`SELECT 1 FROM orchestrator.${table_name} AS t WHERE t::text LIKE $1`, [`%${SECRET}%`]);
    expect(rows, table_name).toEqual([]);
  }
  const counts = await bed.sql("SELECT 1 FROM orchestrator.run_totals");
  expect(counts).toEqual([]);
});

test("a run is kept while its parent or a child of it is open", async () => {
  await bed.register("child", [{ id: "nap", type: "noop" }]);
  await bed.register("slow-child", [{ id: "go", type: "signal", parameters: { name: "go" } }]);
  await bed.register("parent", [
    { id: "done", type: "subflow", parameters: { flow_id: "child" } },
    { id: "open", type: "subflow", parameters: { flow_id: "slow-child", close_policy: "abandon" } },
  ]);
  const { engine } = await bed.openInstance({});
  const { run } = await eventually(() => engine.startRun(CALLER, startOf("parent"), 0));
  const { runId } = run.state;
  const rows = () =>
    bed.sql<{ run_id: string; state: string }>(
      "SELECT run_id, state FROM orchestrator.runs WHERE parent_run_id = $1 ORDER BY parent_task",
      [runId],
    );
  await eventually(async () => expect((await rows()).map(({ state }) => state)).toEqual(["COMPLETED", "WAITING"]));
  const [ended, open] = await rows();
  await expect(engine.deleteRun(CALLER, ended?.run_id ?? "")).rejects.toMatchObject({ code: "RUN_STATE_INVALID" });
  await engine.terminateRun(CALLER, runId, "");
  await engine.deleteRun(CALLER, ended?.run_id ?? "");
  if ((await rows()).some(({ state }) => state === "WAITING")) {
    await expect(engine.deleteRun(CALLER, runId)).rejects.toMatchObject({ code: "RUN_STATE_INVALID" });
    await engine.terminateRun(CALLER, open?.run_id ?? "", "");
  }
  await engine.deleteRun(CALLER, runId);
  await expect(engine.getRun(CALLER, runId)).rejects.toMatchObject({ code: "RUN_DELETED" });
});

// Cause: a call that lost the race found no header (RUN_NOT_FOUND), or no row to delete, which was taken for an open
// relative (RUN_STATE_INVALID).
test("a run that several calls delete at once is deleted once, and all of them are told so", async () => {
  const instance = await bed.openInstance();
  await bed.register("quick", [{ id: "one", type: "noop" }]);
  for (let round = 0; round < 5; round += 1) {
    const { run } = await instance.engine.startRun(CALLER, startOf("quick"), 10_000);
    const calls = Array.from({ length: 20 }, () => instance.engine.deleteRun(CALLER, run.state.runId));
    expect(new Set(await Promise.all(calls)).size).toBe(1);
  }
});
