import { expect, test } from "vitest";
import { attemptSpanIdOf, runSpanIdOf, traceIdOf } from "../../../../src/base/traces/run-trace.ts";
import type { JournalRecord } from "../../../../src/engine/machine/records.ts";
import { createState } from "../../../../src/engine/machine/state.ts";
import { RunSpans } from "../../../../src/telemetry/traces/run-spans.ts";
import type { Span } from "../../../../src/telemetry/traces/span.ts";

const RUN = { ...createState("r"), createdAt: 1, flowId: "f", version: "1", tenantId: "default" };
const error = { type: "HTTP_503", message: "secret text of a tool", retryable: true };

const MAX_RUN_SPANS = 2_000;

function fold(records: readonly JournalRecord[], run = RUN): readonly Span[] {
  const spans = new RunSpans(run, () => "http");
  return records.flatMap((record) => [...spans.add(record)]);
}

const idOf = (path: string, attempt: number): string => attemptSpanIdOf(RUN, { path, generation: 0, attempt });

test("each attempt is a span under the root, with its times, and a failed one names the type of its error only", () => {
  const spans = fold([
    { type: "task.dispatched", at: 10, task: "pay", attempt: 1 },
    { type: "task.retrying", at: 20, task: "pay", error, dueAt: 25 },
    { type: "task.dispatched", at: 25, task: "pay", attempt: 2 },
    { type: "task.completed", at: 40, task: "pay", attempt: 2, output: {} },
    { type: "run.completed", at: 41, output: null },
  ]);
  const root = { traceId: traceIdOf(RUN), spanId: runSpanIdOf(RUN), sampled: true };
  expect(spans).toMatchObject([
    { name: "task pay", spanId: idOf("pay", 1), parent: root, startedAt: 10, endedAt: 20, error: "HTTP_503" },
    { name: "task pay", spanId: idOf("pay", 2), parent: root, startedAt: 25, endedAt: 40, error: "" },
    { name: "run f", spanId: root.spanId, parent: null, startedAt: 1, endedAt: 41, error: "" },
  ]);
  expect(JSON.stringify(spans)).not.toContain("secret text");
});

test("deferred calls, hand-overs, and the repetition after a takeover are events of one span", () => {
  const [span] = fold([
    { type: "task.scheduled", at: 10, task: "pack", attempt: 1 },
    { type: "task.dispatched", at: 12, task: "pack", attempt: 1, to: "session" },
    { type: "task.started", at: 13, task: "pack" },
    { type: "task.returned", at: 14, task: "pack", reason: "WORKER_LOST" },
    { type: "task.dispatched", at: 15, task: "pack", attempt: 1, again: true },
    { type: "task.retrying", at: 16, task: "pack", error, dueAt: 20, deferred: true },
    { type: "task.dispatched", at: 20, task: "pack", attempt: 1 },
    { type: "task.completed", at: 30, task: "pack", output: {} },
  ]);
  expect(span).toMatchObject({ spanId: idOf("pack", 1), startedAt: 10, endedAt: 30, error: "" });
  expect(span?.events.map(({ name, at }) => [name, at])).toEqual([
    ["scheduled", 10],
    ["handed over", 12],
    ["started", 13],
    ["returned", 14],
    ["dispatched again", 15],
    ["deferred", 16],
  ]);
});

test("children lie under their group, and what is open when the run ends is told as that", () => {
  const spans = fold([
    { type: "task.expanded", at: 10, task: "load", count: 2 },
    { type: "task.dispatched", at: 11, task: "load.0", attempt: 1 },
    { type: "task.completed", at: 12, task: "load.0", output: {} },
    { type: "task.waiting", at: 13, task: "ok", wait: { kind: "approval" }, input: {}, dueAt: null },
    { type: "run.terminated", at: 20, reason: "enough", by: "ann" },
  ]);
  expect(
    spans.map(({ attributes, error, parent }) => [attributes["orchestrator.task.path"], error, parent?.spanId]),
  ).toEqual([
    ["load.0", "", idOf("load", 0)],
    ["load", "RUN_ENDED", runSpanIdOf(RUN)],
    ["ok", "RUN_ENDED", runSpanIdOf(RUN)],
    [undefined, "TERMINATED", undefined],
  ]);
});

test("beyond the most spans of a run, the others are one span with their number", () => {
  const records: JournalRecord[] = [];
  for (let index = 0; index < MAX_RUN_SPANS + 3; index += 1)
    records.push({ type: "task.completed", at: index, task: `load.${index}`, attempt: 1, output: {} });
  records.push({ type: "run.completed", at: 9_000, output: null });
  const spans = fold(records);
  expect(spans).toHaveLength(MAX_RUN_SPANS + 2);
  expect(spans.at(-2)).toMatchObject({
    name: "more tasks",
    startedAt: MAX_RUN_SPANS,
    endedAt: MAX_RUN_SPANS + 2,
    attributes: { "orchestrator.run.omitted": 3, "orchestrator.run.omitted_failed": 0 },
  });
});

test("an owner that has seen nothing of an attempt gives its span the same id, and its time from the state", () => {
  const task = { path: "pay", state: "RUNNING", attempt: 2, readyAt: 7, startedAt: 8, scheduledAt: 5 } as never;
  const spans = new RunSpans(RUN, () => "", new Map([["pay", Object.assign(task, { group: null, handedTo: null })]]));
  const [span] = spans.add({ type: "task.completed", at: 30, task: "pay", attempt: 2, output: {} });
  expect(span).toMatchObject({ spanId: idOf("pay", 2), startedAt: 7, endedAt: 30 });
});

test("the root links to its caller, and that of a child run to its parent", () => {
  const caller = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  const end: JournalRecord = { type: "run.completed", at: 2, output: null };
  const parent = { runId: "p", task: "t", closePolicy: "cancel" as const };
  const linkOf = (facts: Partial<typeof RUN.facts>) =>
    fold([end], { ...RUN, facts: { ...RUN.facts, trace: { caller }, ...facts } })[0]?.links;
  const to = { traceId: "4bf92f3577b34da6a3ce929d0e0e4736", spanId: "00f067aa0ba902b7", sampled: true };
  expect(linkOf({})).toEqual([{ to, attributes: { "orchestrator.link.kind": "caller" } }]);
  expect(linkOf({ parent })).toEqual([{ to, attributes: { "orchestrator.link.kind": "parent" } }]);
});
