/** Starts whose run key is taken by an open run, with signals: the open run gets them, each once for a request id. */
import { expect, test } from "vitest";
import type { StartRequest } from "../../../src/engine/ports/run-control.ts";
import { eventually } from "../../support/eventually.ts";
import { startOf } from "../../support/start-of.ts";
import { CALLER, createBed } from "./bed.ts";

const bed = createBed();

const COLLECT = [
  { id: "first", type: "signal", parameters: { name: "item" } },
  { id: "second", type: "signal", parameters: { name: "item" }, depends_on: ["first"] },
  { id: "third", type: "signal", parameters: { name: "item" }, depends_on: ["second"] },
];

const cart = (item: number, requestId = ""): StartRequest =>
  startOf("cart", {
    runKey: "user-1",
    runKeyPolicy: "return_existing",
    requestId,
    requestHash: requestId === "" ? "" : `hash of ${item}`.padEnd(64, "0"),
    signals: [{ name: "item", payload: item }],
  });

const itemsOf = async (runId: string): Promise<unknown[]> => {
  const rows = await bed.sql<{ records: string }>(
    "SELECT records FROM orchestrator.journal WHERE run_id = $1 ORDER BY sequence",
    [runId],
  );
  const records = rows.flatMap(
    (row) => JSON.parse(row.records) as { type: string; payload?: unknown; signals?: { payload: unknown }[] }[],
  );
  return records.flatMap((record) =>
    record.type === "signal.received" ? [record.payload] : (record.signals ?? []).map(({ payload }) => payload),
  );
};

test("the open run of the key gets the signals of later starts, once for each request id", async () => {
  await bed.register("cart", COLLECT);
  const { engine } = await bed.openInstance({});
  const first = await eventually(() => engine.startRun(CALLER, cart(1, "a"), 0));
  const { runId } = first.run.state;
  expect(first.started).toBe(true);
  for (const _ of [1, 2, 3]) {
    const again = await engine.startRun(CALLER, cart(2, "b"), 0);
    expect(again).toMatchObject({ started: false, run: { state: { runId } } });
  }
  const repeated = await engine.startRun(CALLER, cart(1, "a"), 0);
  expect(repeated).toMatchObject({ started: true, run: { state: { runId } } });
  expect(await itemsOf(runId)).toEqual([1, 2]);
  // Without a request id every call is one of its own.
  await engine.startRun(CALLER, cart(3), 0);
  await eventually(async () => expect((await engine.getRun(CALLER, runId)).state.phase).toBe("COMPLETED"));
  // The run took it and has ended: the repeated call says so, and starts nothing.
  expect(await engine.startRun(CALLER, cart(2, "b"), 0)).toMatchObject({ started: false, run: { state: { runId } } });
  expect(await itemsOf(runId)).toEqual([1, 2, 3]);
});

test("an open run that ends before it takes the signals is not the answer: a new run has them", async () => {
  await bed.register("cart", COLLECT);
  const { engine } = await bed.openInstance({});
  const first = await eventually(() => engine.startRun(CALLER, { ...cart(1, "a2"), runKey: "user-2" }, 0));
  const old = first.run.state.runId;
  // As after a crash between the answer that was kept and the signals: the row is there, the run never had them, and
  // has ended.
  await bed.sql(
    "INSERT INTO orchestrator.starts (tenant_id, kind, key, run_id, request_hash) VALUES ($1, 'request', 'b2', $2, $3)",
    [CALLER.tenantId, old, "hash of 2".padEnd(64, "0")],
  );
  await engine.terminateRun(CALLER, old, "");
  const next = await engine.startRun(CALLER, { ...cart(2, "b2"), runKey: "user-2" }, 0);
  expect(next.started).toBe(true);
  expect(next.run.state.runId).not.toBe(old);
  expect(await itemsOf(next.run.state.runId)).toEqual([2]);
  expect(await itemsOf(old)).toEqual([1]);
});
