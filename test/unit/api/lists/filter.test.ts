import { expect, test } from "vitest";
import type { FieldTable } from "../../../../src/api/lists/condition.ts";
import { meetsCondition } from "../../../../src/api/lists/condition.ts";
import { parseFilter } from "../../../../src/api/lists/filter.ts";
import { parseRunFilter, readHeader, toStoreFilter } from "../../../../src/api/lists/run-filter.ts";
import { isOrchestratorError } from "../../../../src/base/errors.ts";
import { childRunId } from "../../../../src/base/ids.ts";
import type { Filter, RunHeader } from "../../../../src/engine/ports/run-index.ts";

const HEADER: RunHeader = {
  runId: "01abc~0123456789abcdef",
  tenantId: "default",
  flowId: "pay",
  version: "2",
  flowHash: "",
  state: "WAITING",
  sequence: 4,
  labels: { team: "billing", "a b": "1" },
  userId: "u",
  correlationId: "c",
  runKey: "",
  parentRunId: "01abc",
  createdAt: Date.parse("2026-01-02T00:00:00Z"),
  updatedAt: Date.parse("2026-01-03T00:00:00Z"),
  endedAt: null,
  deadlineAt: null,
};

test.each([
  ['flow_id == "pay"', true],
  ['"pay" == flow_id', true],
  ['flow_id != "pay"', false],
  ['state in ["FAILED", "WAITING"]', true],
  ['phase == "RUNNING"', true],
  ['phase != "RUNNING"', false],
  ['phase in ["COMPLETED", "RUNNING"]', true],
  ['root_run_id == "01abc"', true],
  ['root_run_id == "01ab"', false],
  ['root_run_id == "01abc~0123456789abcdef"', false],
  ['labels["team"] == "billing" && labels.team != "x"', true],
  ['labels["a b"] == "1"', true],
  ['labels["none"] != "x"', true],
  ['labels["none"] == ""', false],
  ["has(labels.team) && !has(labels.none)", true],
  ['"team" in labels', true],
  ['create_time >= timestamp("2026-01-02T00:00:00Z") && create_time < "2026-01-03T00:00:00Z"', true],
  ['timestamp("2026-01-01T00:00:00Z") > create_time', false],
  ["end_time == null", true],
  ["has(end_time) || end_time != null", false],
  ['!(flow_id == "pay" || flow_id == "x")', false],
  ["state in []", false],
  ['run_key == ""', true],
])("%s is %s", (text, expected) => {
  const condition = parseRunFilter(text);
  expect(meetsCondition(condition, readHeader(HEADER))).toBe(expected);
});

test.each([
  ["", false],
  ["  ", false],
  ['state == "RUNNING" || state != "RUNNING"', false],
  ['flow_id != "pay"', true],
  ['flow_id == "orchestrator-route"', true],
  ['run_id == "run-1"', true],
])("%j means users' runs, and those of the service's own flow: %s", (text, ofService) => {
  const condition = parseRunFilter(text);
  const header = { ...HEADER, runId: "run-1", flowId: "orchestrator-route" };
  expect(meetsCondition(condition, readHeader(header))).toBe(ofService);
  if (!ofService) expect(meetsCondition(condition, readHeader(HEADER))).toBe(true);
});

test.each([
  ["flow_id ==", "column 11: a value is expected"],
  ["nothing == 1", "is not a field; fields are run_id"],
  ["flow_id == 1", "needs text in quotes"],
  ["flow_id", "compare flow_id with something"],
  ['state == "WAITIN"', 'one of "QUEUED"'],
  ['state < "FAILED"', "no order"],
  ["create_time > 5", "needs a time"],
  ['create_time > "yesterday"', "needs a time"],
  // Days and times that do not exist became others, and a time without zone that of the server's zone.
  ['create_time > timestamp("2026-02-30T00:00:00Z")', "needs a time with its zone"],
  ['create_time > timestamp("2026-01-01T24:00:00Z")', "needs a time with its zone"],
  ['create_time > timestamp("2026-01-01T00:00:00")', "needs a time with its zone"],
  ['create_time > "2026-01-01"', "needs a time with its zone"],
  ['flow_id.startsWith("p")', "do not support"],
  ['flow_id + "x" == "payx"', "expected a field here"],
  ["flow_id == user_id", "must be compared with a constant"],
  ['"a" == "b"', "expected a field here"],
  ["labels == 1", 'write labels["key"]'],
  ['flow_id["a"] == "b"', "has no parts"],
  ['"x" in flow_id', "is not a list"],
  ["true ? true : false", "is not supported in filters"],
  // NUL came through to the database, which refuses it: INTERNAL.
  ['flow_id == "\\u0000"', "NUL"],
  ['flow_id in ["a", "\\x00"]', "NUL"],
  ['labels["\\u0000"] == "a"', "NUL"],
  ['"\\u0000" in labels', "NUL"],
  ["1", "expected a condition"],
  [`${"(".repeat(2_000)}a${")".repeat(2_000)}`, "nests deeper than 200"],
  [Array.from({ length: 300 }, () => 'flow_id == "a"').join(" || "), "more than 200"],
])("%s is refused with the cure", (text, problem) => {
  expect(() => parseRunFilter(text)).toThrow(problem);
  try {
    parseRunFilter(text);
  } catch (error) {
    expect(isOrchestratorError(error) && error.code).toBe("FILTER_INVALID");
  }
});

test("a refusal says where", () => {
  expect(() => parseRunFilter('flow_id == "a" && nothing == 1')).toThrow("column 19: nothing is not a field");
  expect(() => parseRunFilter("\n  == 1")).toThrow("line 2, column 3");
});

test("runs of a root are found by its id and by the ids of its children, of older releases too", () => {
  const found = (root: string, runId: string, parentRunId: string): boolean =>
    meetsStore(toStoreFilter(parseRunFilter(`root_run_id == "${root}"`) ?? { op: "and", args: [] }), {
      run_id: runId,
      parent_run_id: parentRunId,
    });
  expect(found("r", "r", "")).toBe(true);
  expect(found("r", childRunId("r", "a", 1), "r")).toBe(true);
  expect(found("r", childRunId(childRunId("r", "a", 1), "a", 1), childRunId("r", "a", 1))).toBe(true);
  expect(found("r", "r:a:b", "r:a")).toBe(true);
  // Chosen by callers: `~` was allowed.
  expect(found("r", "r~a", "")).toBe(false);
  expect(found("r", "r2", "")).toBe(false);
  // A child is no root.
  expect(found(childRunId("r", "a", 1), childRunId("r", "a", 1), "r")).toBe(false);
  expect(found("r:a", "r:a", "r")).toBe(false);
});

/** What the store makes of a filter over texts. */
function meetsStore(filter: Filter, row: Readonly<Record<string, string>>): boolean {
  switch (filter.op) {
    case "and":
      return filter.args.every((arg) => meetsStore(arg, row));
    case "or":
      return filter.args.some((arg) => meetsStore(arg, row));
    case "not":
      return !meetsStore(filter.arg, row);
    case "in":
      return filter.values.includes(row[filter.field.name] ?? "");
    case "has":
      return true;
    default: {
      const value = row[filter.field.name] ?? "";
      const other = String(filter.value);
      if (filter.op === "==") return value === other;
      if (filter.op === "!=") return value !== other;
      if (filter.op === "<") return value < other;
      return filter.op === ">=" && value >= other;
    }
  }
}

test("what the store gets has no derived fields and no empty lists of conditions", () => {
  const text = JSON.stringify(
    toStoreFilter(
      parseRunFilter('phase == "RUNNING" && root_run_id == "r" && state in [] && has(flow_id)') ?? {
        op: "and",
        args: [],
      },
    ),
  );
  expect(text).not.toContain("phase");
  expect(text).not.toContain("root_run_id");
  expect(text).not.toContain('"args":[]');
});

const TASKS: FieldTable = { names: { kind: "texts" }, count: { kind: "number" }, open: { kind: "boolean" } };

test.each([
  ['"a" in names', true],
  ['"c" in names', false],
  ["count > 1 && count <= 2", true],
  ["open", true],
  ["!open", false],
  ["open == false", false],
])("lists, numbers and booleans: %s is %s", (text, expected) => {
  const condition = parseFilter(text, TASKS);
  const read = ({ name }: { name: string }) => ({ names: ["a", "b"], count: 2, open: true })[name];
  expect(condition !== null && meetsCondition(condition, read)).toBe(expected);
});
