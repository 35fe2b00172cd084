/** What is read for the traces of runs that were not sampled. */
import { expect, test } from "vitest";
import { silentLog } from "../../../../src/base/log.ts";
import type { JournalRecord } from "../../../../src/engine/machine/records.ts";
import { emptyPlan, openRun, type Run } from "../../../../src/engine/machine/run.ts";
import { createState } from "../../../../src/engine/machine/state.ts";
import { createRebuilds } from "../../../../src/telemetry/traces/rebuilds.ts";
import { createRunTraces } from "../../../../src/telemetry/traces/run-traces.ts";
import type { Span } from "../../../../src/telemetry/traces/span.ts";
import { eventually } from "../../../support/eventually.ts";

const error = { type: "BROKEN", message: "", retryable: false, task: "a" };
const END: JournalRecord = { type: "run.failed", at: 90, error };

function runOf(runId: string): Run {
  const state = { ...createState(runId), createdAt: 1, flowId: "f", version: "1", tenantId: "default" };
  return openRun({ ...state, facts: { ...state.facts, trace: { sampled: false } } }, emptyPlan("f"));
}

/** An attempt in two records. */
const attemptOf = (task: string): readonly JournalRecord[] => [
  { type: "task.dispatched", at: 10, task, attempt: 1 },
  { type: "task.completed", at: 20, task, attempt: 1, output: {} },
];

function createBed(journal: readonly JournalRecord[] = []) {
  const spans: Span[] = [];
  const counts = { rebuilt: 0, skipped: 0, failed: 0 };
  const reads: number[] = [];
  let now = 0;
  const rebuild = createRebuilds({
    sink: { end: (span) => void spans.push(span) },
    ...{ typeOf: () => "http", log: silentLog, now: () => now },
    read: async function* (_run, lastSequence) {
      reads.push(lastSequence);
      yield journal.slice(0, lastSequence);
    },
    count: (result) => void (counts[result] += 1),
  });
  const sink = { end: () => {} };
  const traces = createRunTraces({ sampler: () => false, sink, typeOf: () => "http", rebuild, slowMs: 0 });
  /** Commits the parts of a journal, one after the other, up to the last record of the last part. */
  const commit = (run: Run, parts: readonly (readonly JournalRecord[])[], firstSequence = 1): void => {
    let next = firstSequence;
    for (const records of parts) {
      traces.committed(run, records, next);
      next += records.length;
    }
  };
  return { spans, counts, reads, commit, passes: (ms: number) => void (now += ms) };
}

const namesOf = (spans: readonly Span[]): readonly string[] => spans.map(({ name }) => name);

test("the spans of a short run are made from what memory has of it, in one commit or in several", async () => {
  const bed = createBed();
  bed.commit(runOf("one"), [[...attemptOf("a"), END]]);
  bed.commit(runOf("some"), [attemptOf("b"), attemptOf("c"), [END]]);
  await eventually(() => expect(bed.counts.rebuilt).toBe(2));
  expect(namesOf(bed.spans)).toEqual(["task a", "run f", "task b", "task c", "run f"]);
  expect(bed.reads).toEqual([]);
});

test("what memory does not have is read: what another instance wrote, and the records of a long run", async () => {
  const journal = Array.from({ length: 40 }, (_, index) => attemptOf(`t${index}`)).flat();
  const bed = createBed(journal);
  bed.commit(runOf("taken over"), [[END]], 5);
  await eventually(() => expect(bed.counts.rebuilt).toBe(1));
  expect(namesOf(bed.spans)).toEqual(["task t0", "task t1", "run f"]);
  bed.commit(runOf("long"), [journal.slice(0, 60), journal.slice(60), [END]]);
  await eventually(() => expect(bed.counts.rebuilt).toBe(2));
  expect(bed.spans).toHaveLength(3 + 41);
  expect(bed.reads).toEqual([4, 80]);
});

test("memory has the records of the newest 2,048 runs", async () => {
  const bed = createBed(attemptOf("a"));
  const runs = Array.from({ length: 2_049 }, (_, index) => runOf(`r${index}`));
  for (const run of runs) bed.commit(run, [attemptOf("a")]);
  const [oldest, second] = runs as [Run, Run];
  bed.commit(oldest, [[END]], 3);
  bed.commit(second, [[END]], 3);
  await eventually(() => expect(bed.counts.rebuilt).toBe(2));
  expect(bed.reads).toEqual([2]);
  expect(namesOf(bed.spans)).toEqual(["task a", "run f", "task a", "run f"]);
});

test("beyond 50 runs in a second nothing is read, and the next second goes on", async () => {
  const bed = createBed(attemptOf("a"));
  const fail = (count: number): void => {
    for (let index = 0; index < count; index += 1) bed.commit(runOf(`r${index}`), [[END]], 3);
  };
  fail(60);
  await eventually(() => expect(bed.counts).toEqual({ rebuilt: 50, skipped: 10, failed: 0 }));
  expect(bed.reads).toHaveLength(50);
  bed.passes(1_000);
  fail(1);
  await eventually(() => expect(bed.counts).toEqual({ rebuilt: 51, skipped: 10, failed: 0 }));
});
