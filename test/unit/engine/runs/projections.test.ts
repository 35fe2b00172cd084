/**
 * Rows of projections, made from what a run really does: a flow is compiled, events are decided, and the rows of each
 * transition are read.
 */
import { expect, test } from "vitest";
import type { JsonObject } from "../../../../src/base/json/json.ts";
import type { RunEvent } from "../../../../src/engine/machine/events.ts";
import type { JournalRecord } from "../../../../src/engine/machine/records.ts";
import { openRun, type Run } from "../../../../src/engine/machine/run.ts";
import { advance } from "../../../../src/engine/machine/settle.ts";
import { createState } from "../../../../src/engine/machine/state.ts";
import { createRowsOf, mergeTables } from "../../../../src/engine/make-rows.ts";
import type { OutboxRow } from "../../../../src/engine/ports/bus/outbox.ts";
import type { ProjectedRows, RowMaker } from "../../../../src/engine/ports/projections.ts";
import { approvalRows } from "../../../../src/engine/runs/projections/approvals.ts";
import { toDeadLetterMessage } from "../../../../src/engine/runs/projections/dead-letter-messages.ts";
import { deadLetterRows } from "../../../../src/engine/runs/projections/dead-letters.ts";
import { outboxRows } from "../../../../src/engine/runs/projections/outbox.ts";
import { taskControls } from "../../../../src/engine/runs/projections/task-controls.ts";
import { compileFlow } from "../../../../src/flows/compile.ts";

const rowsOf = createRowsOf<Run, JournalRecord>([approvalRows, deadLetterRows, outboxRows]);

const facts = { userId: "", correlationId: "", labels: {}, runKey: "", requestId: "", context: null, parent: null };

const START = {
  type: "start",
  at: 1,
  tenantId: "t",
  vars: {},
  deadlineAt: null,
  startAt: null,
  facts,
  signals: [],
} as const;

async function openFlow(
  ...tasks: JsonObject[]
): Promise<{ run: Run; step(...events: RunEvent[]): readonly ProjectedRows[] }> {
  const { plan } = await compileFlow({ document: { id: "f", version: "1", workflow: { tasks } } });
  const run = openRun(createState("run"), plan);
  // The records of several events make one transition, as when they arrive while a batch is in flight.
  const step = (...events: RunEvent[]): readonly ProjectedRows[] => {
    const records = events.flatMap((event) => advance(run, event));
    return rowsOf(run, records, run.state.sequence - records.length + 1);
  };
  return { run, step };
}

const tokenOf = (run: Run, task: string): number => run.state.tasks.get(task)?.token ?? 0;

test("a transition that touches no projection makes no rows, and allocates no list for them", async () => {
  const { step, run } = await openFlow({ id: "a", type: "noop" });
  const rows = step(START);
  expect(rows).toEqual([]);
  const output = { ok: true, output: 1 } as const;
  expect(step({ type: "reported", at: 2, task: "a", token: tokenOf(run, "a"), outcome: output, random: 0 })).toBe(rows);
});

test("an approval is a row when it begins and again when it ends", async () => {
  const { step, run } = await openFlow({ id: "ask", type: "approval", parameters: { title: "?" } });
  const [begun] = step(START);
  const [id] = [...run.state.approvals.keys()];
  expect(begun).toMatchObject({
    projection: "approvals",
    rows: [{ approval: { id, task: "ask", state: "PENDING", parameters: { title: "?" } }, tenantId: "t", flowId: "f" }],
  });
  const decided = {
    type: "decided",
    at: 3,
    approval: id ?? 0,
    approved: true,
    by: "ann",
    comment: "",
    data: 1,
  } as const;
  expect(step(decided)).toMatchObject([
    { projection: "approvals", rows: [{ approval: { id, state: "APPROVED", by: "ann", data: 1, endedAt: 3 } }] },
  ]);
});

test("an approval that begins and ends in one transition is one row: PostgreSQL refuses to write a row twice in a statement", async () => {
  const { step } = await openFlow({ id: "ask", type: "approval", parameters: { title: "?" } });
  const decided = { type: "decided", at: 3, approval: 2, approved: false, by: "", comment: "", data: null } as const;
  expect(step(START, decided)).toMatchObject([{ rows: [{ approval: { id: 2, state: "REJECTED" } }] }]);
});

test("an approval whose task is canceled is a row", async () => {
  const { step } = await openFlow({ id: "ask", type: "approval", parameters: { title: "?" } });
  step(START);
  const cancel = { type: "cancel", at: 5, by: "", reason: "", compensate: false } as const;
  expect(step(cancel)).toMatchObject([{ projection: "approvals", rows: [{ approval: { state: "CANCELED" } }] }]);
});

test("a task that is not tried again is a dead letter, with its attempts and its parameters", async () => {
  const { step, run } = await openFlow({ id: "a", type: "noop", parameters: { output: 7 } });
  step(START);
  const error = { type: "BROKEN", message: "no", retryable: false };
  const outcome = { ok: false, error } as const;
  expect(step({ type: "reported", at: 9, task: "a", token: tokenOf(run, "a"), outcome, random: 0 })).toEqual([
    {
      projection: "dead_letters",
      rows: [
        {
          taskPath: "a",
          generation: 0,
          tenantId: "t",
          flowId: "f",
          attempts: 1,
          errorType: "BROKEN",
          errorMessage: "no",
          reason: "NOT_RETRYABLE",
          input: { output: 7 },
          at: 9,
        },
      ],
    },
  ]);
});

test("an event is a row with its topic, key, payload and headers; its key is the run unless the task gives one", async () => {
  const { step } = await openFlow(
    { id: "one", type: "emit", parameters: { topic: "orders", payload: { n: 1 } } },
    { id: "two", type: "emit", depends_on: ["one"], parameters: { topic: "orders", key: "k", headers: { a: "b" } } },
  );
  expect(step(START)).toMatchObject([
    {
      projection: "outbox",
      rows: [
        { taskPath: "one", topic: "orders", key: "run", kind: "event", content: { payload: { n: 1 }, headers: {} } },
        { taskPath: "two", topic: "orders", key: "k", kind: "event", content: { payload: null, headers: { a: "b" } } },
      ],
    },
  ]);
});

test("a record writes several rows: whoever has a task of a run is told when it begins to end", async () => {
  const ofOutbox = mergeTables<Run, JournalRecord, OutboxRow>(taskControls, { "task.failed": toDeadLetterMessage });
  const told = createRowsOf<Run, JournalRecord>([{ projection: "outbox", on: ofOutbox }]);
  const task = (id: string): JsonObject => ({ id, type: "queue", parameters: { handler: `do-${id}` } });
  const { run } = await openFlow({ ...task("a"), timeout: 5, schedule_to_start_timeout: 5 }, task("b"), task("c"));
  const step = (...events: RunEvent[]): readonly ProjectedRows[] => {
    const records = events.flatMap((event) => advance(run, event));
    return told(run, records, run.state.sequence - records.length + 1);
  };
  const handOver = (id: string): RunEvent => ({ type: "hand_over", at: 2, task: id, to: "@topic:work", queued: false });
  expect(step(START, handOver("a"), handOver("b"), handOver("c"))).toEqual([]);
  const tokens = ["a", "b", "c"].map((id) => tokenOf(run, id));
  const late = run.state.tasks.get("a")?.dueAt ?? 0;
  const [rows] = step({ type: "due", at: late, by: late, random: 0 });
  const reason = (row: object) => (row as { content: { reason: string; fence?: number } }).content;
  expect(rows?.rows.map(reason)).toMatchObject([
    { reason: "TIMEOUT", fence: tokens[0], attempt: 1, topic: "work", handler: "do-a" },
    { reason: "ATTEMPTS_EXHAUSTED", handler: "do-a" },
  ]);
  const answered: RunEvent = {
    ...{ type: "reported", at: late, task: "c", token: tokens[2] ?? 0, random: 0 },
    outcome: { ok: true, output: 1 },
  };
  const cancel: RunEvent = { type: "cancel", at: late, by: "", reason: "no", compensate: false };
  // What has answered by the time of the commit is told nothing.
  expect(step(cancel, answered)[0]?.rows.map(reason)).toMatchObject([{ reason: "RUN_CANCELED", fence: tokens[1] }]);
  const terminate: RunEvent = { type: "terminate", at: late, by: "", reason: "now" };
  expect(step(terminate)[0]?.rows.map(reason)).toMatchObject([{ reason: "RUN_TERMINATED", fence: tokens[1] }]);
});

test("two row makers of one name are refused", () => {
  const twin: RowMaker<Run, JournalRecord, object> = { projection: "outbox", on: {} };
  expect(() => createRowsOf<Run, JournalRecord>([outboxRows, twin])).toThrow("share a name");
});
