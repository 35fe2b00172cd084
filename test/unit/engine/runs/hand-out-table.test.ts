import { expect, test } from "vitest";
import { type HandOut, HandOutTable } from "../../../../src/engine/runs/dispatch/hand-out-table.ts";

const handOut = (path: string, fence: number): HandOut => ({
  runId: "run",
  path,
  fence,
  attempt: 1,
  heartbeatMs: null,
  silent: false,
  atAgents: false,
  slot: null,
  acknowledged: false,
  reported: false,
  detached: false,
  canceled: false,
  heardAt: 0,
  checkpointedAt: Number.NEGATIVE_INFINITY,
});

test("a task is found by its path and by the fencing token of its last hand-over", () => {
  const table = new HandOutTable();
  table.add(handOut("a", 3));
  table.add(handOut("b", 4));
  const again = handOut("a", 7);
  table.add(again);
  expect(table.get("run", "a")).toBe(again);
  expect(table.find({ runId: "run", fence: 7 })).toBe(again);
  expect(table.find({ runId: "run", fence: 3 })).toBeUndefined();
  expect(table.ofRun("run").map(({ path }) => path)).toEqual(["a", "b"]);

  table.delete("run", "a");
  expect(table.find({ runId: "run", fence: 7 })).toBeUndefined();
  expect(table.has("run")).toBe(true);
  table.delete("run", "b");
  expect(table.has("run")).toBe(false);
  expect([...table]).toEqual([]);
});
