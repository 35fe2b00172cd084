import { expect, test } from "vitest";
import { parseRunFilter } from "../../../../../src/api/lists/run-filter.ts";
import { createShownRuns } from "../../../../../src/api/services/runs/shown-runs.ts";
import type { RunHeader } from "../../../../../src/engine/ports/run-index.ts";

const header = (runId: string, state: RunHeader["state"], sequence: number, updatedAt = sequence): RunHeader => ({
  runId,
  tenantId: "default",
  flowId: "f",
  version: "1",
  flowHash: "",
  state,
  sequence,
  labels: {},
  userId: "",
  correlationId: "",
  runKey: "",
  parentRunId: "",
  createdAt: 0,
  updatedAt,
  endedAt: null,
  deadlineAt: null,
});

test("a run that was shown is told until it leaves the filter, one that was not only when it comes to meet it", () => {
  const shown = createShownRuns(parseRunFilter('state == "RUNNING"'));
  expect(shown.judge(header("a", "WAITING", 1))).toBe(null);
  expect(shown.judge(header("a", "RUNNING", 2))).toBe(true);
  expect(shown.judge(header("a", "COMPLETED", 3))).toBe(false);
  expect(shown.judge(header("a", "COMPLETED", 4))).toBe(null);
});

// Cause: an instance that was slow told of a run what its new owner had told before, and a run that had ended was shown
// as open forever.
test("what is no news is not told, from whomever it comes and in whichever order", () => {
  const shown = createShownRuns(parseRunFilter('state == "RUNNING"'));
  shown.note(header("a", "RUNNING", 2), true);
  expect(shown.judge(header("a", "RUNNING", 2))).toBe(null);
  expect(shown.judge(header("a", "COMPLETED", 5))).toBe(false);
  expect(shown.judge(header("a", "RUNNING", 4))).toBe(null);
  // Quarantined: another state without a record.
  expect(shown.judge(header("b", "RUNNING", 2))).toBe(true);
  expect(shown.judge(header("b", "QUARANTINED", 2, 9))).toBe(false);
});

// Cause: nobody said that a run was deleted, and readers held it forever.
test("a deleted run leaves every filter, once, and nothing brings it back", () => {
  const shown = createShownRuns(null);
  const deleted: RunHeader = { ...header("a", "COMPLETED", 4), deleted: true };
  expect(shown.judge(header("a", "COMPLETED", 3))).toBe(true);
  expect(shown.judge(deleted)).toBe(false);
  expect(shown.judge(deleted)).toBe(null);
  expect(shown.judge(header("a", "COMPLETED", 3))).toBe(null);
  expect(shown.judge({ ...deleted, runId: "never shown" })).toBe(null);
});

test("the memory is bounded: what was forgotten comes again", () => {
  const shown = createShownRuns(null, 2);
  for (const runId of ["a", "b", "c"]) expect(shown.judge(header(runId, "RUNNING", 1))).toBe(true);
  expect(shown.judge(header("c", "RUNNING", 1))).toBe(null);
  expect(shown.judge(header("a", "RUNNING", 1))).toBe(true);
});
