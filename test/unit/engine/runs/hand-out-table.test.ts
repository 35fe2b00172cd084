import { expect, test } from "vitest";
import { type HandOut, HandOutTable } from "../../../../src/engine/runs/dispatch/hand-out-table.ts";

const handOut = (path: string, fence: number): HandOut => ({
  runId: "run",
  path,
  fence,
  attempt: 1,
  heartbeatMs: null,
  carrier: "workers",
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
});

test("a task is due at the time that was said last, until it is over", () => {
  const table = new HandOutTable();
  const start = performance.now();
  const [a, b, c] = [handOut("a", 3), handOut("b", 4), handOut("c", 5)];
  for (const one of [a, b, c]) table.add(one);
  expect(table.takeDue(start + 1_000)).toEqual([a, b, c]);
  expect(table.takeDue(start + 2_000)).toEqual([]);
  table.lookAt(a, start + 3_000);
  table.lookAt(a, start + 9_000);
  table.lookAt(b, start + 5_000);
  table.lookAt(c, start + 5_000);
  expect(table.takeDue(start + 4_000)).toEqual([]);
  table.delete("run", "c");
  expect(table.takeDue(start + 6_000)).toEqual([b]);
  table.forget("run");
  expect(table.takeDue(start + 20_000)).toEqual([]);
});
