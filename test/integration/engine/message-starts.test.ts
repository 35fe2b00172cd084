/** Starts that come with messages: each happens once, and leaves nothing behind that outlives its run. */
import { randomUUID } from "node:crypto";
import { expect, test } from "vitest";
import { eventually } from "../../support/eventually.ts";
import { startOf } from "../../support/start-of.ts";
import { CALLER, createBed } from "./bed.ts";

const bed = createBed();
const TAKEN = { code: "RUN_ALREADY_EXISTS" };

async function open() {
  await bed.register("gate", [{ id: "go", type: "signal", parameters: { name: "go" } }]);
  const { engine, runs } = await bed.openInstance();
  const runId = randomUUID();
  const startFrom = () => engine.startRun(CALLER, startOf("gate", { runId, fromMessage: true }), 0);
  const start = () => engine.startRun(CALLER, startOf("gate", { runId }), 0);
  const keys = async () =>
    (await bed.sql("SELECT kind FROM orchestrator.starts WHERE run_id = $1", [runId])).map(({ kind }) => kind);
  return { engine, runs, runId, start, startFrom, keys };
}

test("a start from a message leaves no row besides its run, and the same again is told that the run exists", async () => {
  const { runs, start, startFrom, keys } = await open();
  await startFrom();
  expect(await keys()).toEqual([]);
  await expect(startFrom()).rejects.toMatchObject(TAKEN);
  // Not in memory any more: the store tells.
  for (const resident of [...runs.residence.residents.values()]) runs.residence.drop(resident);
  await expect(startFrom()).rejects.toMatchObject(TAKEN);
  await expect(start()).rejects.toMatchObject(TAKEN);
  expect(await keys()).toEqual([]);
});

test("of starts with one run id at the same time, one succeeds", async () => {
  const { startFrom } = await open();
  const results = await Promise.allSettled(Array.from({ length: 20 }, () => startFrom()));
  expect(results.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
  for (const result of results) if (result.status === "rejected") expect(result.reason).toMatchObject(TAKEN);
});

test("the message of a run that was deleted starts no second one, also while it is being deleted", async () => {
  const { engine, runId, start, startFrom, keys } = await open();
  await startFrom();
  await engine.terminateRun(CALLER, runId, "over");
  const deleting = engine.deleteRun(CALLER, runId);
  const during = Promise.allSettled(Array.from({ length: 20 }, () => startFrom()));
  await deleting;
  for (const result of await during) expect(result).toMatchObject({ status: "rejected", reason: TAKEN });
  await expect(startFrom()).rejects.toMatchObject(TAKEN);
  await expect(start()).rejects.toMatchObject(TAKEN);
  await eventually(async () => expect(await keys()).toEqual(["deleted"]));
});

// Cause: an answer to a run that was not in memory found the start of its repeated message there, without tasks.
test.each(["before", "after"])(
  "while a repeated start is under way, the run can be found: asked %s it",
  async (when) => {
    const { runs, runId, startFrom } = await open();
    await startFrom();
    for (const resident of [...runs.residence.residents.values()]) runs.residence.drop(resident);
    const found = when === "before" ? runs.residence.open(runId) : null;
    const again = startFrom().catch((error: unknown) => error);
    while (!runs.residence.residents.has(runId)) await new Promise((resolve) => setImmediate(resolve));
    const { started, entity } = await (found ?? runs.residence.open(runId));
    expect(started).toBe(true);
    expect(entity.state.tasks.get("go")?.state).toBe("WAITING");
    expect(await again).toMatchObject(TAKEN);
  },
);

test("a run that is refused at its start has failed, without a version, for all who look", async () => {
  const { engine, runs, runId, startFrom } = await open();
  const refusal = { type: "FLOW_NOT_FOUND", message: "no such flow" };
  const refused = startOf("nobody", { runId, fromMessage: true, refusal, input: { n: 1 }, userId: "u" });
  const { run } = await engine.startRun(CALLER, refused, 1_000);
  expect(run.state).toMatchObject({ phase: "FAILED", version: "", hash: "", vars: { n: 1 }, error: refusal });
  for (const resident of [...runs.residence.residents.values()]) runs.residence.drop(resident);
  expect((await bed.stateOf(runId)).phase).toBe("FAILED");
  expect(await bed.sql("SELECT * FROM public.flow_run_history WHERE run_id = $1", [runId])).toMatchObject([
    { flow_id: "nobody", status: "FAILED", input_data: { n: 1 }, error_message: "FLOW_NOT_FOUND: no such flow" },
  ]);
  await expect(engine.cancelRun(CALLER, runId, "", false)).rejects.toMatchObject({ code: "RUN_FINISHED" });
  await expect(startFrom()).rejects.toMatchObject(TAKEN);
  await engine.deleteRun(CALLER, runId);
  await expect(engine.startRun(CALLER, refused, 0)).rejects.toMatchObject(TAKEN);
});
