/**
 * A projection that only this test knows: a row maker, a table, and the line that joins them. Nothing else of the
 * engine or the store was changed for it.
 */
import { expect, test } from "vitest";
import type { JournalRecord } from "../../../src/engine/machine/records.ts";
import type { Run } from "../../../src/engine/machine/run.ts";
import type { RowMaker } from "../../../src/engine/ports/projections.ts";
import { joinSides, RUN_PROJECTIONS } from "../../../src/service/projections.ts";
import { number, text, time } from "../../../src/store/journal/columns.ts";
import { defineTable } from "../../../src/store/journal/projection-table.ts";
import { startOf } from "../../support/start-of.ts";
import { CALLER, createBed } from "./bed.ts";

interface SignalRow {
  readonly sequence: number;
  readonly name: string;
  readonly at: number;
}

const signalRows: RowMaker<Run, JournalRecord, SignalRow> = {
  projection: "signal_log",
  on: { "signal.received": (_, { name, at }, sequence) => ({ sequence, name, at }) },
};

const signalTable = defineTable<SignalRow>("signal_log", {
  columns: {
    sequence: number("int4", ({ sequence }) => sequence),
    name: text(({ name }) => name),
    received_at: time(({ at }) => at),
  },
  write: ({ insert }) => insert,
});

const projections = [...RUN_PROJECTIONS, joinSides(signalRows, signalTable)];

const bed = createBed();

const rowsOf = (runId: string) =>
  bed.sql<{ sequence: number; name: string }>(
    "SELECT sequence, name FROM orchestrator.signal_log WHERE run_id = $1 ORDER BY sequence",
    [runId],
  );

test("its rows are committed with the records they come from, beside those of others, and go with their run", async () => {
  await bed.sql(
    `CREATE TABLE IF NOT EXISTS orchestrator.signal_log (
      run_id text NOT NULL, sequence integer NOT NULL, name text NOT NULL, received_at timestamptz NOT NULL, PRIMARY KEY (run_id, sequence)
    )`,
  );
  await bed.register("listener", [
    { id: "ask", type: "approval", parameters: { title: "?" } },
    { id: "go", type: "signal", parameters: { name: "go" } },
  ]);
  const { engine, journal } = await bed.openInstance({ projections });
  // The first signal comes with the start, and so do the rows of the approval: one statement for both projections.
  const start = startOf("listener", { signals: [{ name: "early", payload: 1 }] });
  const { run } = await engine.startRun(CALLER, start, 0);
  const { runId } = run.state;
  const [early] = await rowsOf(runId);
  expect(early).toMatchObject({ name: "early" });
  expect(await bed.sql("SELECT state FROM orchestrator.approvals WHERE run_id = $1", [runId])).toEqual([
    { state: "PENDING" },
  ]);
  await engine.signalRun(CALLER, runId, "go", { text: "x" });
  const rows = await rowsOf(runId);
  expect(rows.map(({ name }) => name)).toEqual(["early", "go"]);
  const stored = await journal.loadRun(runId);
  for (const { sequence, name } of rows)
    expect(stored?.records[sequence - 1]).toMatchObject({ type: "signal.received", name });
  await engine.terminateRun(CALLER, runId, "");
  await engine.deleteRun(CALLER, runId);
  expect(await rowsOf(runId)).toEqual([]);
});
