/** Sequences of runs in a database that was restored from a backup. */
import { expect, test } from "vitest";
import { foldJournal } from "../../../../src/engine/machine/apply.ts";
import type { JournalRecord } from "../../../../src/engine/machine/records.ts";

const started: Extract<JournalRecord, { type: "run.started" }> = {
  ...{ type: "run.started", at: 1, flowId: "f", version: "1", hash: "h", tenantId: "t", vars: {}, facts: {} },
};
const dispatched: JournalRecord = { type: "task.dispatched", at: 2, task: "a", attempt: 1 };
const again: JournalRecord = { ...dispatched, at: 4, again: true };

test("fencing tokens go on above those of the forgotten time", () => {
  const restored: JournalRecord = { type: "run.restored", at: 3, sequence: 1_000_003, by: "ann" };
  const before = foldJournal("r", [started, dispatched]);
  expect(before.tasks.get("a")?.token).toBe(2);
  const state = foldJournal("r", [started, dispatched, restored, again]);
  expect(state.sequence).toBe(1_000_004);
  expect(state.tasks.get("a")).toMatchObject({ token: 1_000_004, callToken: 2, state: "RUNNING" });
});

test("a run that starts after the restore begins where its start says", () => {
  const state = foldJournal("r", [{ ...started, sequence: 1_000_001 }, dispatched]);
  expect(state.tasks.get("a")?.token).toBe(1_000_002);
});

test("a sequence never falls", () => {
  const restored: JournalRecord = { type: "run.restored", at: 3, sequence: 2, by: "ann" };
  expect(() => foldJournal("r", [started, dispatched, restored])).toThrow("run.restored has sequence 2, and 3 is next");
});
