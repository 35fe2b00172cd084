/** A row that the database refuses costs its own run, nobody else. */
import { afterEach, expect, test } from "vitest";
import type { StartResult } from "../../../src/engine/ports/run-control.ts";
import { eventually } from "../../support/eventually.ts";
import { startOf } from "../../support/start-of.ts";
import { CALLER, createBed } from "./bed.ts";

const bed = createBed();

const NEVER = new AbortController().signal;

/** From now on the database refuses journal rows that hold `marker`. */
async function refuseRows(marker: string): Promise<void> {
  await bed.sql(`ALTER TABLE orchestrator.journal ADD CONSTRAINT planted CHECK (records NOT LIKE '%${marker}%')`);
}

afterEach(async () => {
  await bed.sql("ALTER TABLE orchestrator.journal DROP CONSTRAINT IF EXISTS planted");
});

const idsOf = (results: readonly (StartResult | Error)[]): string[] =>
  results.map((result) => {
    if (result instanceof Error) throw result;
    return result.run.state.runId;
  });

test("one bad row among 500 puts its run into quarantine; the 499 others commit and their callers are answered", async () => {
  await bed.register("mark", [{ id: "a", type: "signal", parameters: { name: "a" } }]);
  const instance = await bed.openInstance({ commitConnections: 1 });
  const ids = idsOf(
    await instance.engine.startRuns(
      CALLER,
      Array.from({ length: 500 }, () => startOf("mark")),
      0,
    ),
  );
  await refuseRows("poison");
  const [bad = "", ...good] = ids.toReversed();
  const sizesBefore = instance.journal.batches.length;
  const signals = ids.map((runId) => instance.engine.signalRun(CALLER, runId, "a", runId === bad ? "poison" : 1));
  const settled = await Promise.allSettled(signals);
  expect(instance.journal.batches[sizesBefore]).toHaveLength(500);
  expect(settled.filter((one) => one.status === "rejected")).toHaveLength(1);
  await expect(signals[ids.indexOf(bad)]).rejects.toMatchObject({ code: "STORE_REJECTED" });
  for (const runId of good) expect((await bed.stateOf(runId)).phase).toBe("COMPLETED");
  await eventually(async () => expect((await bed.stateOf(bad)).holds).toMatchObject([{ kind: "quarantine" }]));
  const states = await bed.sql("SELECT state, count(*) AS count FROM orchestrator.runs GROUP BY state ORDER BY state");
  expect(states).toEqual([
    { state: "COMPLETED", count: 499 },
    { state: "QUARANTINED", count: 1 },
  ]);
});

test("a result that the database refuses puts its run into quarantine; released, the attempt is made again", async () => {
  await bed.register("one", [{ id: "a", type: "noop" }]);
  const instance = await bed.openInstance();
  instance.tools.answer("a", () => ({ ok: true, output: "poison" }));
  await refuseRows("poison");
  const { run } = await instance.engine.startRun(CALLER, startOf("one"), 0);
  const { runId } = run.state;
  await eventually(async () => expect((await bed.stateOf(runId)).holds).toMatchObject([{ kind: "quarantine" }]));
  instance.tools.answer("a", () => ({ ok: true, output: "good" }));
  await instance.engine.resumeRun(CALLER, runId, ["quarantine"], "the tool was mended");
  const view = await instance.engine.waitRun(CALLER, runId, 10_000, NEVER);
  expect(view.state).toMatchObject({ phase: "COMPLETED", output: { a: "good" } });
  expect(instance.tools.calls.map((call) => call.idempotencyKey)).toEqual([`${runId}/a/0`, `${runId}/a/0`]);
});

test("a start that the database refuses is refused to its caller and leaves nothing; starts of the same batch are made", async () => {
  await bed.register("mark", [{ id: "a", type: "signal", parameters: { name: "a" } }]);
  const instance = await bed.openInstance({ commitConnections: 1 });
  await refuseRows("poison");
  const results = await instance.engine.startRuns(
    CALLER,
    Array.from({ length: 20 }, (_, index) =>
      startOf("mark", { requestId: `r${index}`, userId: index === 7 ? "poison" : "" }),
    ),
    0,
  );
  expect(results.flatMap((result, index) => (result instanceof Error ? [index] : []))).toEqual([7]);
  expect(results[7]).toMatchObject({ code: "STORE_REJECTED" });
  expect(await bed.sql("SELECT 1 FROM orchestrator.runs")).toHaveLength(19);
  expect(await bed.sql("SELECT 1 FROM orchestrator.starts")).toHaveLength(19);
});

test("a run of which the database takes nothing at all leaves memory instead of being tried for ever", async () => {
  await bed.register("mark", [{ id: "a", type: "signal", parameters: { name: "a" } }]);
  const instance = await bed.openInstance({ commitConnections: 1 });
  const [bad = "", good = ""] = idsOf(await instance.engine.startRuns(CALLER, [startOf("mark"), startOf("mark")], 0));
  await bed.sql(`ALTER TABLE orchestrator.journal ADD CONSTRAINT planted CHECK (run_id <> '${bad}' OR sequence < 3)`);
  const signal = instance.engine.signalRun(CALLER, bad, "a", 1);
  await expect(signal).rejects.toMatchObject({ code: "STORE_REJECTED" });
  await eventually(() => expect(instance.runs.residence.residents.has(bad)).toBe(false));
  const before = instance.journal.batches.length;
  await instance.engine.signalRun(CALLER, good, "b", 1);
  expect(instance.journal.batches.length).toBe(before + 1);
  expect((await bed.stateOf(bad)).phase).toBe("RUNNING");
});

test("transitions that cannot even be encoded, or that break a limit of the server, are bad rows too", async () => {
  await bed.register("one", [{ id: "a", type: "noop" }]);
  const instance = await bed.openInstance({ commitConnections: 1 });
  // No JSON: a tool adapter that breaks its promise.
  instance.tools.answer("a", () => ({ ok: true, output: 10n as unknown as number }));
  const bad = await instance.engine.startRun(CALLER, startOf("one"), 0);
  await eventually(async () =>
    expect((await bed.stateOf(bad.run.state.runId)).holds).toMatchObject([{ kind: "quarantine" }]),
  );
  instance.tools.answer("a", () => ({ ok: true, output: 1 }));
  // An index row has at most 2,704 bytes.
  const random = Array.from({ length: 9_000 }, () => Math.random().toString(36).slice(2, 8)).join("");
  const [long, short] = await instance.engine.startRuns(
    CALLER,
    [startOf("one", { requestId: random }), startOf("one", { requestId: "short" })],
    10_000,
  );
  expect(long).toMatchObject({ code: "STORE_REJECTED" });
  expect(short).toMatchObject({ started: true });
});
