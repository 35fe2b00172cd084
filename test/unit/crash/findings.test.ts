/** The checker of the crash campaign: an honest run passes, and one planted violation of each invariant is found. */
import { expect, test } from "vitest";
import type { JournalRecord } from "../../../src/engine/machine/records.ts";
import { type Evidence, findViolations } from "../../crash/campaign/checks.ts";
import type { DumpedRun } from "../../crash/campaign/dump.ts";
import type { FlowPlan } from "../../crash/campaign/flows.ts";
import type { SinkCall } from "../../crash/campaign/sink.ts";
import type { HistoryLine } from "../../crash/campaign/users.ts";

const RUN = "r1";

const RECORDS: readonly JournalRecord[] = [
  {
    type: "run.started",
    at: 1,
    flowId: "steps",
    version: "1",
    hash: "h",
    tenantId: "default",
    vars: { n: 1 },
    facts: { requestId: "q1" },
  },
  { type: "task.waiting", at: 1, task: "w", wait: { kind: "timer" }, input: {}, dueAt: 5 },
  { type: "task.completed", at: 6, task: "w", output: null },
  { type: "task.dispatched", at: 6, task: "a", attempt: 1, input: {} },
  { type: "task.completed", at: 7, task: "a", output: { step: "a", n: 1 } },
  { type: "run.completed", at: 8, output: 1 },
];

function runOf(records: readonly JournalRecord[], more: Partial<DumpedRun> = {}): DumpedRun {
  return {
    run_id: RUN,
    flow_id: "steps",
    state: "COMPLETED",
    sequence: records.length,
    moving: false,
    wake_at: null,
    ended_at: 8,
    parent_run_id: "",
    transitions: records.map((record, index) => ({ sequence: index + 1, record_count: 1, records: [record] })),
    ...more,
  };
}

const START: HistoryLine = {
  at: 1,
  op: "start",
  kind: "steps",
  n: 1,
  requestId: "q1",
  runId: RUN,
  attempt: 1,
  outcome: "ok",
};

const CALL: SinkCall = {
  at: 6,
  key: `${RUN}/a/0`,
  runId: RUN,
  task: "a",
  attempt: 1,
  token: 4,
  body: "{}",
  status: 200,
};

const PLAN: FlowPlan = { flow: {}, ends: "COMPLETED", output: (n) => n };

function evidenceOf(more: {
  runs?: readonly DumpedRun[];
  dump?: Partial<Evidence["dump"]>;
  history?: readonly HistoryLine[];
  calls?: readonly SinkCall[];
}): Evidence {
  const dump = {
    runs: more.runs ?? [runOf(RECORDS)],
    orphans: 0,
    starts: [],
    approvals: [],
    deadLetters: [],
    outbox: [],
    miscounts: [],
    ...more.dump,
  };
  const plans = { steps: PLAN, stop: { ...PLAN, ends: "CANCELED", cancels: true } } as unknown as Evidence["plans"];
  return { dump, plans, history: more.history ?? [START], calls: more.calls ?? [CALL] };
}

const withRecord = (index: number, record: JournalRecord): JournalRecord[] => RECORDS.with(index, record);

test("an honest run passes", () => {
  expect(findViolations(evidenceOf({}))).toEqual([]);
});

const open = runOf(RECORDS.slice(0, 5), { state: "RUNNING", ended_at: null });

const PLANTED: readonly (readonly [string, RegExp, Evidence])[] = [
  ["an acknowledged run that is lost", /^I1 .*is lost/, evidenceOf({ runs: [], calls: [] })],
  ["a journal without a run", /^I1 1 journals/, evidenceOf({ dump: { orphans: 1 } })],
  [
    "two runs of one request",
    /^I1 .*: 2 runs/,
    evidenceOf({ runs: [runOf(RECORDS), runOf(RECORDS, { run_id: "r2" })] }),
  ],
  [
    "two answers to one request",
    /^I1 .*different runs/,
    evidenceOf({ history: [START, { ...START, runId: "r2", attempt: 2 }] }),
  ],
  [
    "an acknowledged signal that is not in the journal",
    /^I1 .*0 times/,
    evidenceOf({ history: [START, { ...START, op: "signal", requestId: "s1" }] }),
  ],
  [
    "an effect of a run that does not exist",
    /^I1 .*does not exist/,
    evidenceOf({ calls: [CALL, { ...CALL, key: "x/a/0", runId: "x" }] }),
  ],
  [
    "a count of runs that is off",
    /^I8 f RUNNING: 1 counted, null there/,
    evidenceOf({
      dump: { miscounts: [{ tenant_id: "t", flow_id: "f", version: "1", state: "RUNNING", counted: 1, rows: null }] },
    }),
  ],
  ["a result without an effect", /^I2 .*without an effect/, evidenceOf({ calls: [] })],
  [
    "other bodies under one key",
    /^I2 .*different bodies/,
    evidenceOf({ calls: [CALL, { ...CALL, token: 5, body: "[]" }] }),
  ],
  ["one attempt made twice", /^I2 .*1 tokens/, evidenceOf({ calls: [CALL, CALL] })],
  [
    "a wrong output",
    /^I2 .*output/,
    evidenceOf({ runs: [runOf(withRecord(5, { type: "run.completed", at: 8, output: 2 }))] }),
  ],
  [
    "a gap in the journal",
    /^I3 .*sequence 4 where 3/,
    evidenceOf({
      runs: [
        {
          ...runOf(RECORDS),
          transitions: runOf(RECORDS).transitions.filter((transition) => transition.sequence !== 3),
        },
      ],
    }),
  ],
  [
    "a header that says something else",
    /^I4 .*RUNNING where COMPLETED/,
    evidenceOf({ runs: [runOf(RECORDS, { state: "RUNNING" })] }),
  ],
  [
    "an end that the header does not know",
    /^I4 .*ended_at/,
    evidenceOf({ runs: [runOf(RECORDS, { ended_at: null })] }),
  ],
  [
    "a journal that does not fold",
    /^I4 .*does not fold/,
    evidenceOf({ runs: [runOf([...RECORDS, { type: "run.recovered", at: 9 }])] }),
  ],
  [
    "an effect under a token that dispatched nothing",
    /^I5 .*no dispatch/,
    evidenceOf({ calls: [{ ...CALL, token: 3 }] }),
  ],
  [
    "a timer that fired early",
    /^I6 .*2 ms early/,
    evidenceOf({ runs: [runOf(withRecord(2, { type: "task.completed", at: 3, task: "w", output: null }))] }),
  ],
  ["a run that ended and is still armed", /^I6 .*still armed/, evidenceOf({ runs: [runOf(RECORDS, { wake_at: 9 })] })],
  [
    "an innocent run that was held",
    /^I7 .*put into quarantine, two deaths/,
    evidenceOf({
      runs: [
        runOf(withRecord(2, { type: "run.held", at: 2, hold: "quarantine", by: "orchestrator", why: "two deaths" })),
      ],
    }),
  ],
  ["a run that never ends", /^I7 .*is RUNNING/, evidenceOf({ runs: [open] })],
  [
    "a run that ended otherwise than its flow says",
    /^I7 .*ended FAILED/,
    evidenceOf({
      runs: [
        runOf(withRecord(5, { type: "run.failed", at: 8, error: { type: "E", message: "", task: null } }), {
          state: "FAILED",
        }),
      ],
    }),
  ],
  [
    "an outbox row without a record",
    /^I8 outbox/,
    evidenceOf({ dump: { outbox: [{ run_id: RUN, task_path: "e", topic: "t" }] } }),
  ],
  [
    "an approval without a record",
    /^I8 approvals/,
    evidenceOf({ dump: { approvals: [{ run_id: RUN, approval_id: 3, task_path: "ok", state: "PENDING" }] } }),
  ],
  [
    "a dead letter without a record",
    /^I9 dead letters/,
    evidenceOf({ dump: { deadLetters: [{ run_id: RUN, task_path: "a", attempts: 1 }] } }),
  ],
  [
    "a cancel that had no effect",
    /^I15 .*cancelled and COMPLETED/,
    evidenceOf({ history: [START, { ...START, op: "cancel", kind: "stop", requestId: "c1" }] }),
  ],
  [
    "an answer that no user may get",
    /^I17 .*INTERNAL/,
    evidenceOf({ history: [START, { ...START, outcome: "INTERNAL" }] }),
  ],
];

test.each(PLANTED)("%s is found", (_, pattern, evidence) => {
  expect(findViolations(evidence)).toEqual(expect.arrayContaining([expect.stringMatching(pattern)]));
});

// The records alone can hold a second result: folding refuses it first, and says so.
test("a second result of a task is found", () => {
  const twice = [...RECORDS.slice(0, 5), RECORDS[4] as JournalRecord, ...RECORDS.slice(5)];
  expect(findViolations(evidenceOf({ runs: [runOf(twice)] })).join("\n")).toMatch(/does not fold/);
});
