/** Signals that arrive while the end of their run is on its way. */
import { expect, test } from "vitest";
import { isOrchestratorError } from "../../../src/base/errors.ts";
import { eventually } from "../../support/eventually.ts";
import { startOf } from "../../support/start-of.ts";
import { CALLER, createBed } from "./bed.ts";

const bed = createBed();

// Cause: after the death of an owner, the timers of its runs go first, and a signal that waited behind one was
// acknowledged though the run had ended and nothing was recorded.
test("a signal that a takeover finds too late is refused, and one that is acknowledged is in the journal", async () => {
  await bed.register("waits", [{ id: "s", type: "signal", parameters: { name: "go" }, timeout: 1 }]);
  const first = await bed.openInstance();
  const starts = Array.from({ length: 40 }, () => first.engine.startRun(CALLER, startOf("waits"), 0));
  const runIds = (await Promise.all(starts)).map(({ run }) => run.state.runId);
  await first.crash();
  await eventually(async () => {
    const late = `SELECT count(*)::int4 AS count FROM orchestrator.runs
      WHERE created_at < clock_timestamp() - interval '1100 milliseconds'`;
    expect(await bed.sql(late)).toEqual([{ count: runIds.length }]);
  });
  const said = new Map<string, string>();
  const calls: Promise<void>[] = [];
  const signal = async (runId: string): Promise<void> => {
    const call = engine.signalRun(CALLER, runId, "go", null).then(() => "taken");
    said.set(runId, await call.catch((error) => (isOrchestratorError(error) ? error.code : String(error))));
  };
  // Some signals come just when their run is read, some a little later.
  const { engine } = await bed.openInstance({
    beforeLoad: async (runId) => {
      if (said.has(runId)) return;
      said.set(runId, "sent");
      const turns = 2 ** (calls.length % 12);
      calls.push(turnsLater(turns).then(() => signal(runId)));
    },
  });
  await eventually(() => expect(calls).toHaveLength(runIds.length));
  await Promise.all(calls);
  const recorded = await Promise.all(
    runIds.map(async (runId) => {
      const rows = await bed.sql(`SELECT 1 FROM orchestrator.journal j, jsonb_array_elements(j.records::jsonb) r
        WHERE j.run_id = '${runId}' AND r ->> 'type' = 'signal.received'`);
      return rows.length > 0;
    }),
  );
  expect(runIds.map((runId) => said.get(runId) === "taken")).toEqual(recorded);
  expect([...said.values()]).toContain("RUN_FINISHED");
});

async function turnsLater(turns: number): Promise<void> {
  for (let turn = 0; turn < turns; turn += 1) await new Promise<void>((resolve) => setImmediate(resolve));
}
