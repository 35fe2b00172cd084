import { describe, expect, test } from "vitest";
import { withNewPaths } from "../../../../src/engine/machine/old-paths.ts";
import {
  compensatedBy,
  compensationPath,
  idempotencyKeyOf,
  isCompensation,
  isTopLevel,
  parentPath,
  visitOf,
  visitPath,
} from "../../../../src/engine/machine/paths.ts";
import type { JournalRecord } from "../../../../src/engine/machine/records.ts";

const PATHS = ["fetch", "load.0", "load.0.2", "poll~2", "poll~2.1", "pay~compensate", "poll~2~compensate.0"];

test("every path stands in a URL as it is", () => {
  // Cause: visits were written `poll#2` and compensations `pay/compensate`, which cut a URL short or lengthened its
  // path.
  for (const path of PATHS) {
    expect(encodeURIComponent(path)).toBe(path);
    expect(new URL(`http://host/v1/runs/r/tasks/${path}`).pathname).toBe(`/v1/runs/r/tasks/${path}`);
  }
});

test("a path has one reading", () => {
  expect(visitPath("poll", 2)).toBe("poll~2");
  expect(PATHS.map((path) => visitOf(path)?.visit ?? 0)).toEqual([0, 0, 0, 2, 2, 0, 2]);
  expect(visitOf("poll~2~compensate.0")?.state).toBe("poll");
  expect(compensationPath(visitPath("poll", 2))).toBe("poll~2~compensate");
  expect(PATHS.map(compensatedBy)).toEqual([null, null, null, null, null, "pay", "poll~2"]);
  expect(PATHS.filter(isCompensation)).toEqual(["pay~compensate"]);
  expect(PATHS.filter(isTopLevel)).toEqual(["fetch", "poll~2"]);
  expect(parentPath("poll~2~compensate.0")).toBe("poll~2~compensate");
  // A state may be named like the mark.
  expect([compensatedBy("compensate~1"), isTopLevel("compensate~1")]).toEqual([null, true]);
});

test("the key that tools get keeps its form, whatever paths look like", () => {
  // Cause: the generation stood behind `/compensate`. Tools that remember keys would repeat their effect if the form
  // changed with that of paths.
  expect(idempotencyKeyOf("r", "a", 0)).toBe("r/a/0");
  expect(idempotencyKeyOf("r", "s~2.1", 3)).toBe("r/s#2.1/3");
  expect(idempotencyKeyOf("r", "a~compensate", 1)).toBe("r/a/1/compensate");
  expect(idempotencyKeyOf("r", "a~compensate.4", 1)).toBe("r/a/1/compensate.4");
  expect(idempotencyKeyOf("r", "s~2~compensate.4", 1)).toBe("r/s#2/1/compensate.4");
});

describe("records of older releases", () => {
  const read = (record: object): object => withNewPaths([record as JournalRecord])[0] ?? {};
  const cause = { end: "failed", compensate: true, reason: "", by: "" };

  test("are read with the paths of this one", () => {
    expect(read({ type: "task.completed", at: 1, task: "s#2", output: "a#1" })).toMatchObject({
      task: "s~2",
      output: "a#1",
    });
    expect(read({ type: "task.failed", at: 1, task: "s#2/compensate.0" })).toMatchObject({ task: "s~2~compensate.0" });
    expect(read({ type: "run.failed", at: 1, error: { type: "E", task: "s#1" } })).toMatchObject({
      error: { task: "s~1" },
    });
    expect(
      read({ type: "run.compensating", at: 1, order: ["s#1", "a"], cause: { ...cause, error: null } }),
    ).toMatchObject({ order: ["s~1", "a"] });
    expect(read({ type: "run.ending", at: 1, cause: { ...cause, error: { type: "E", task: "a#1" } } })).toMatchObject({
      cause: { error: { task: "a~1" } },
    });
    const parent = { runId: "r", task: "s#1", closePolicy: "cancel" };
    expect(read({ type: "run.started", at: 1, vars: { a: "b#1" }, facts: { parent } })).toMatchObject({
      vars: { a: "b#1" },
      facts: { parent: { task: "s~1" } },
    });
  });

  test("that hold no such path are left as they are", () => {
    const records = [
      { type: "task.completed", at: 1, task: "a.0", output: "x#1" },
      { type: "run.failed", at: 1, error: { type: "E", message: "", task: null } },
      { type: "run.recovered", at: 2 },
    ] as unknown as JournalRecord[];
    expect(withNewPaths(records)).toBe(records);
  });
});
