import { describe, expect, it } from "vitest";
import { fieldChecks, optional, text, time } from "../../../../src/base/field-checks.ts";
import { recordsProblem } from "../../../../src/engine/machine/check-record.ts";
import type { JournalRecord, RecordType } from "../../../../src/engine/machine/records.ts";

type Whole<Type extends RecordType> = Required<Omit<Extract<JournalRecord, { readonly type: Type }>, "type">>;

const at = Date.UTC(2026, 0, 1);
const ofTask = { at, task: "poll~2" };
const error = { type: "NO", message: "no", retryable: true, nextRetryDelayMs: 5, noEffect: true, details: null };
const runError = { type: "NO", message: "no", task: null };
const cause = { end: "failed", compensate: true, reason: "", by: "", error: runError } as const;
const told = { by: "me", why: "" };
const answer = { key: "k", value: null };
const place = { log: "t/0", epoch: 0, offset: 2 ** 40 };
const recalled = { from: "@topic:t", token: 4 };
const hold = { at, hold: "operator", by: "", why: "" } as const;
const limits = {
  startToCloseMs: 1,
  scheduleToStartMs: 0,
  scheduleToCloseMs: 1.5,
  heartbeatMs: 1,
  initialDelayMs: 1,
  maxDelayMs: 1,
  multiplier: 1.5,
  maxRetries: 1,
};

/** A record of each kind with all of its fields. */
const WHOLE: { readonly [Type in RecordType]: Whole<Type> } = {
  "run.started": {
    at,
    flowId: "f",
    version: "1",
    hash: "h",
    tenantId: "t",
    vars: {},
    deadlineAt: at,
    startAt: at,
    limit: { name: "crm", key: "", maxConcurrent: 1, rate: { count: 1, perMs: 1 } },
    sequence: 1,
    facts: {
      userId: "",
      correlationId: "",
      labels: { team: "core" },
      runKey: "",
      requestId: "",
      context: {},
      parent: { runId: "r", task: "t", closePolicy: "cancel", depth: 2 },
    },
  },
  "run.limited": { at },
  "run.opened": { at },
  "run.completed": { at, output: null },
  "run.failed": { at, error: runError },
  "run.canceled": { at, reason: "", by: "" },
  "run.timed_out": { at },
  "run.terminated": { at, reason: "", by: "" },
  "run.ending": { at, cause, boundAt: at },
  "run.compensating": { at, cause, order: ["a"] },
  "run.held": hold,
  "run.released": hold,
  "run.recovered": { at },
  "run.restored": { at, sequence: 9, by: "ann" },
  "run.budget_warned": { at, budget: "tenant", why: "w" },
  "task.dispatched": {
    ...ofTask,
    attempt: 1,
    input: {},
    first: "a",
    answer,
    limits,
    to: "s",
    queued: true,
    dueAt: at,
    again: true,
  },
  "task.scheduled": { ...ofTask, attempt: 1, input: {}, dueAt: at, first: "a", limits },
  "task.limited": { ...ofTask, attempt: 1, name: "crm", key: "", input: {}, dueAt: at, first: "a", limits },
  "task.started": { ...ofTask, attempt: 1, to: "@callback", dueAt: at },
  "task.returned": { ...ofTask, attempt: 1, reason: "UNACKNOWLEDGED", dueAt: at },
  "task.checkpointed": { ...ofTask, attempt: 1, checkpoint: "1" },
  "task.detached": { ...ofTask, attempt: 1 },
  "task.waiting": {
    ...ofTask,
    attempt: 1,
    wait: { kind: "signal", name: "s" },
    input: {},
    dueAt: at,
    first: "a",
    limits,
  },
  "task.expanded": { ...ofTask, count: 2, items: [1, 2], first: "a", dueAt: at, limits },
  "task.completed": { ...ofTask, attempt: 1, tookMs: 5, output: null, input: {}, first: "a", told, recalled },
  "task.retrying": {
    ...ofTask,
    attempt: 1,
    tookMs: 5,
    error,
    dueAt: at,
    deferred: true,
    answer,
    told,
    place,
    recalled,
  },
  "task.suspended": {
    ...ofTask,
    attempt: 1,
    key: "k",
    gate: true,
    wait: { kind: "run", runId: "r" },
    value: {},
    dueAt: null,
  },
  "task.failed": {
    ...ofTask,
    attempt: 1,
    tookMs: 5,
    error,
    timedOut: true,
    handled: true,
    deadLetter: "OUT_OF_TIME",
    first: "a",
    told,
    place,
    recalled,
  },
  "task.skipped": { ...ofTask, reason: "NOT_TAKEN" },
  "task.canceled": { ...ofTask, attempt: 1, noEffect: true, recalled },
  "task.compensated": ofTask,
  "approval.ended": { ...ofTask, approval: 3, state: "APPROVED", by: "", comment: "", data: null },
  "signal.received": { at, id: 1, name: "s", payload: null, by: "", request: "", requestHash: "" },
  "request.applied": { at, request: "", requestHash: "" },
  "signal.consumed": { ...ofTask, id: 1, name: "s" },
  "signal.guard_failed": { at, id: 1, name: "s", state: "one", error: { type: "NO", message: "no" } },
  "state.entered": { at, state: "one", visit: 1, by: { kind: "signal", signal: 1, index: 0 } },
  "state.armed": { at, after: [{ index: 0, dueAt: at }] },
  "state.settled": { at },
};

/** Fields that take any JSON. */
const ANY = /^(input|output|payload|data|answer\.value|error\.details|vars\.|items\.|value\.|facts\.context\.)/;
type Place = readonly (string | number)[];

/** Every field of a value and of the objects and lists in it. */
function placesOf(value: unknown, above: Place = []): Place[] {
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, part]) => [[...above, key], ...placesOf(part, [...above, key])]);
}

function damage(record: object, place: Place, wrong: unknown): unknown {
  const copy = structuredClone(record) as Record<string, unknown>;
  let holder = copy;
  for (const key of place.slice(0, -1)) holder = holder[key] as Record<string, unknown>;
  holder[place.at(-1) as string] = wrong;
  return copy;
}

describe("records are checked", () => {
  it.each(Object.entries(WHOLE))("%s: each field", (type, fields) => {
    const whole = { type, ...fields };
    expect(recordsProblem([whole], 1)).toBe(null);
    for (const place of placesOf(fields)) {
      if (ANY.test(place.join("."))) continue;
      const problem = recordsProblem([whole, damage(whole, place, Symbol.iterator)], 7);
      expect(`${place.join(".")}: ${problem}`).toBe(
        `${place.join(".")}: record 8 (${type}): ${place[0]} is missing or of the wrong type`,
      );
    }
  });

  it("refuses numbers out of their range", () => {
    const wrong = {
      attempt: [-1, 0.5, 2 ** 31],
      at: [-1e15, 1e15],
      limits: [{ maxDelayMs: -1 }, { maxDelayMs: Number.POSITIVE_INFINITY }],
    };
    for (const [field, values] of Object.entries(wrong))
      for (const value of values)
        expect(recordsProblem([{ type: "task.dispatched", ...WHOLE["task.dispatched"], [field]: value }], 1)).toMatch(
          `: ${field} is`,
        );
    expect(recordsProblem([{ type: "task.expanded", ...ofTask, count: 10_001 }], 1)).toMatch(": count is");
  });

  it("takes records of older releases, and fields of newer ones", () => {
    expect(recordsProblem([{ type: "task.completed", ...ofTask, output: 1, news: 1 }], 1)).toBe(null);
    expect(recordsProblem([{ type: "run.started", ...WHOLE["run.started"], facts: {} }], 1)).toBe(null);
  });

  it("refuses kinds that it does not know, whatever their names", () => {
    for (const type of ["task.teleported", "constructor", "__proto__", "", 5, null, undefined])
      expect(recordsProblem([{ type, at }], 3)).toMatch("record 3 is of the unknown kind");
  });
});

it("a field that its check leaves out does not compile", () => {
  interface Shape {
    readonly at: number;
    readonly task?: string;
  }
  const WHOLES = fieldChecks<{ whole: Shape }>()({
    whole: (value) => time("at", value.at) ?? optional("task", value.task, text),
  });
  expect(WHOLES.whole({ at, task: 5 })).toBe("task");
  const PARTS = fieldChecks<{ part: Shape }>()({
    // @ts-expect-error: `task` is forgotten.
    part: (value) => time("at", value.at),
  });
  expect(PARTS.part({ at, task: 5 })).toBe(null);
});
