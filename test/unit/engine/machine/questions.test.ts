/** The gate asks before a call: what the machine makes of the question, of each answer, and of what comes between. */
import { expect, test } from "vitest";
import type { Json } from "../../../../src/base/json/json.ts";
import { foldJournal } from "../../../../src/engine/machine/apply.ts";
import type { Outcome, RunEvent } from "../../../../src/engine/machine/events.ts";
import type { JournalRecord } from "../../../../src/engine/machine/records.ts";
import { openRun, type Run } from "../../../../src/engine/machine/run.ts";
import { advance } from "../../../../src/engine/machine/settle.ts";
import { createState, publicState, type TaskState } from "../../../../src/engine/machine/state.ts";
import { compileFlow } from "../../../../src/flows/compile.ts";

const facts = { userId: "", correlationId: "", labels: {}, runKey: "", requestId: "", context: null, parent: null };

/** A run whose first task is about to be called. */
class Subject {
  readonly journal: JournalRecord[] = [];
  readonly run: Run;

  constructor(run: Run) {
    this.run = run;
    const start = { type: "start", at: 1, tenantId: "t", vars: {}, deadlineAt: null, startAt: null, facts } as const;
    this.take({ ...start, signals: [] });
  }

  take(event: RunEvent): readonly JournalRecord[] {
    const records = advance(this.run, event);
    this.journal.push(...records);
    expect(foldJournal("run", this.journal)).toEqual(this.run.state);
    return records;
  }

  task(path = "a"): TaskState {
    return this.run.state.tasks.get(path) ?? expect.unreachable(`no task ${path}`);
  }

  report(at: number, outcome: Outcome, path = "a"): readonly JournalRecord[] {
    return this.take({ type: "reported", at, task: path, token: this.task(path).token, outcome, random: 0 });
  }

  ask(at: number, key = "k", path = "a"): readonly JournalRecord[] {
    const error = { type: "GATE_ASKED", message: "the gate asks", retryable: true, noEffect: true };
    const question = { key, gate: true, wait: { kind: "approval" }, value: { title: "May it?" } } as const;
    return this.report(at, { ok: false, error, suspended: { ...question, timeoutMs: 100 } }, path);
  }

  decide(at: number, approved: boolean, path = "a"): readonly JournalRecord[] {
    const said = { by: "ada", comment: approved ? "" : "too much", data: null };
    return this.take({ type: "decided", at, approval: this.task(path).token, approved, ...said });
  }
}

async function openSubject(tasks: readonly object[]): Promise<Subject> {
  const { plan } = await compileFlow({ document: { id: "f", version: "1", workflow: { tasks: tasks as Json } } });
  return new Subject(openRun(createState("run"), plan));
}

const openOne = (task: object = {}) => openSubject([{ id: "a", type: "noop", ...task }]);

const FAILED: Outcome = { ok: false, error: { type: "E", message: "", retryable: true } };

test("one record takes the question: the task waits, no attempt is used up, and nothing was called", async () => {
  const subject = await openOne();
  expect(subject.ask(10)).toEqual([
    {
      ...{ type: "task.suspended", at: 10, task: "a", key: "k", gate: true },
      ...{ wait: { kind: "approval" }, value: { title: "May it?" }, dueAt: 110 },
    },
  ]);
  const { sequence, approvals } = subject.run.state;
  expect(subject.task()).toMatchObject({ state: "WAITING", attempt: 1, effect: "none", approvedCall: null });
  expect(publicState(subject.run.state)).toBe("WAITING");
  expect([...approvals.values()]).toMatchObject([{ id: sequence, task: "a", state: "PENDING", dueAt: 110 }]);
});

test("what is approved is dispatched again with the same attempt, and the approval holds for its retries", async () => {
  const subject = await openOne({ retry_policy: { max_retries: 2, initial_delay: 1 } });
  subject.ask(10);
  expect(subject.decide(20, true)).toMatchObject([
    { type: "approval.ended", state: "APPROVED", by: "ada" },
    { type: "task.dispatched", attempt: 1 },
  ]);
  expect(subject.task()).toMatchObject({ state: "RUNNING", approvedCall: "k", readyAt: 20, suspension: null });
  subject.report(30, FAILED);
  subject.take({ type: "due", at: 5_000, random: 0 });
  expect(subject.task()).toMatchObject({ state: "RUNNING", attempt: 2, approvedCall: "k" });
  // Something has changed meanwhile.
  expect(subject.ask(5_001, "other")).toMatchObject([{ type: "task.suspended", key: "other", attempt: 2 }]);
  subject.decide(5_002, true);
  expect(subject.task()).toMatchObject({ state: "RUNNING", attempt: 2, approvedCall: "other" });
  expect(subject.report(5_003, { ok: true, output: 1 })).toMatchObject([{ type: "task.completed", attempt: 2 }, {}]);
});

test("a rejection is final, no dead letter, and nothing is compensated", async () => {
  const tasks = [
    { id: "a", type: "noop", compensate_with: "undo", retry_policy: { max_retries: 5 } },
    { id: "undo", type: "noop" },
  ];
  const subject = await openSubject(tasks);
  subject.ask(10);
  const [, failed, end] = subject.decide(20, false);
  const message = "the gate asked, and the call was rejected by ada: too much";
  expect(failed).toMatchObject({ type: "task.failed", error: { type: "GATE_DENIED", message, retryable: false } });
  expect(failed).not.toHaveProperty("deadLetter");
  expect(end).toMatchObject({ type: "run.failed", error: { type: "GATE_DENIED" } });
});

test("an attempt before the question that may have had an effect is compensated all the same", async () => {
  const tasks = [
    { id: "a", type: "noop", compensate_with: "undo", retry_policy: { max_retries: 5, initial_delay: 1 } },
    { id: "undo", type: "noop" },
  ];
  const subject = await openSubject(tasks);
  subject.report(5, FAILED);
  subject.take({ type: "due", at: 5_000, random: 0 });
  subject.ask(5_001);
  expect(subject.decide(5_002, false).map(({ type }) => type)).toContain("run.compensating");
});

test("`on_error: continue` goes on after a rejection", async () => {
  const subject = await openOne({ on_error: "continue" });
  subject.ask(10);
  expect(subject.decide(20, false).at(-1)).toMatchObject({ type: "run.completed" });
});

test("nobody decides in time: it is denied, at the latest when the time of the task is over", async () => {
  const late = await openOne();
  late.ask(10);
  expect(late.take({ type: "due", at: 110, random: 0 })).toMatchObject([
    { type: "approval.ended", state: "EXPIRED" },
    { type: "task.failed", error: { type: "GATE_DENIED", message: "the gate asked, and nobody decided in time" } },
    { type: "run.failed" },
  ]);
  const short = await openOne({ schedule_to_close_timeout: "50ms" });
  expect(short.ask(10)).toMatchObject([{ dueAt: 51 }]);
});

test("a run that is canceled or terminated takes its question back", async () => {
  for (const end of ["cancel", "terminate"] as const) {
    const subject = await openOne();
    subject.ask(10);
    subject.take({ type: end, at: 20, by: "", reason: "", compensate: true } as RunEvent);
    expect([...subject.run.state.approvals.values()]).toMatchObject([{ state: "CANCELED" }]);
    expect(subject.decide(30, true)).toEqual([]);
  }
});

test("a question that comes when the run is being canceled is not asked", async () => {
  const subject = await openOne();
  subject.take({ type: "cancel", at: 5, by: "", reason: "", compensate: true });
  expect(subject.ask(10)).toMatchObject([{ type: "task.canceled", noEffect: true }, { type: "run.canceled" }]);
});

test("a decision under a hold is kept, and acts on release", async () => {
  const subject = await openOne();
  subject.ask(10);
  subject.take({ type: "hold", at: 11, hold: "operator", by: "op", why: "" });
  expect(subject.decide(20, true)).toMatchObject([{}, { type: "task.retrying", error: { type: "RUN_HELD" } }]);
  subject.take({ type: "release", at: 30, hold: "operator", by: "op", why: "" });
  expect(subject.take({ type: "due", at: 30, random: 0 })).toMatchObject([{ type: "task.dispatched", attempt: 1 }]);
  expect(subject.task()).toMatchObject({ approvedCall: "k" });
});

// Cause: an answer dispatched a task of a limit past its line, while its first slot had stayed with the question.
test("a task of a limit gives its slot back while it waits, and asks for another one", async () => {
  const subject = await openOne({ limit: { name: "pay", max_concurrent: 1 } });
  const grant = (at: number) =>
    subject.take({ type: "granted", at, task: "a", asked: subject.task().limitSlot?.asked ?? 0 });
  grant(2);
  subject.ask(10);
  expect(subject.task().limitSlot?.state).toBe("none");
  expect(subject.decide(20, true)).toMatchObject([{}, { type: "task.retrying", deferred: true }]);
  expect(subject.take({ type: "due", at: 20, random: 0 })).toMatchObject([{ type: "task.limited", attempt: 1 }]);
  expect(grant(30)).toMatchObject([{ type: "task.dispatched", attempt: 1 }]);
  expect(subject.task()).toMatchObject({ approvedCall: "k", limitSlot: { state: "taken" } });
});

test("an answer that a task had before the gate asked stays", async () => {
  const subject = await openOne();
  const error = { type: "OUTCOME_UNKNOWN", message: "", retryable: false };
  const asked = { key: "unknown/1", wait: { kind: "approval" }, value: {}, timeoutMs: null } as const;
  subject.report(5, { ok: false, error, suspended: asked });
  subject.decide(6, true);
  subject.ask(10);
  subject.decide(20, true);
  expect(subject.task()).toMatchObject({ answer: { key: "unknown/1" }, approvedCall: "k" });
});

test("a compensation that is rejected is a dead letter and holds its run", async () => {
  const tasks = [
    { id: "a", type: "noop", compensate_with: "undo" },
    { id: "b", type: "noop", depends_on: ["a"] },
    { id: "undo", type: "noop" },
  ];
  const subject = await openSubject(tasks);
  subject.report(5, { ok: true, output: 1 });
  subject.report(6, { ok: false, error: { type: "E", message: "", retryable: false } }, "b");
  const path = [...subject.run.state.tasks.keys()].at(-1) ?? "";
  subject.ask(10, "k", path);
  expect(subject.decide(20, false, path)).toMatchObject([{}, { type: "task.failed", deadLetter: "NOT_RETRYABLE" }]);
  expect(subject.run.state.phase).toBe("COMPENSATING");
});

test("a new owner leaves the question as it is, and makes what was approved again", async () => {
  const subject = await openOne();
  subject.ask(10);
  expect(subject.take({ type: "recover", at: 11, clean: false }).map(({ type }) => type)).toEqual(["run.recovered"]);
  subject.decide(20, true);
  expect(subject.take({ type: "recover", at: 21, clean: false })).toMatchObject([
    { type: "run.recovered" },
    { type: "task.dispatched", attempt: 1, again: true },
  ]);
  expect(subject.task()).toMatchObject({ approvedCall: "k" });
});

// Cause: the attempt looked like one that was never made, so `on_unknown` of a model did not hold for it.
test("a question about an attempt that another instance had begun does not hide that", async () => {
  const subject = await openOne();
  subject.ask(10);
  expect(subject.decide(20, true)[1]).not.toHaveProperty("again");
  subject.take({ type: "recover", at: 30, clean: false });
  // The policy has changed with the restart.
  subject.ask(40, "other");
  expect(subject.decide(50, true)[1]).toMatchObject({ type: "task.dispatched", attempt: 1, again: true });
  expect(subject.task()).toMatchObject({ effect: "possible" });
  subject.take({ type: "recover", at: 60, clean: false });
  subject.ask(70, "third");
  subject.take({ type: "hold", at: 71, hold: "operator", by: "op", why: "" });
  expect(subject.decide(80, true)[1]).toMatchObject({ type: "task.retrying", error: { type: "ATTEMPT_LOST" } });
});

test("a question that comes twice before any call is about an attempt that nobody has made", async () => {
  const subject = await openOne();
  subject.ask(10);
  subject.decide(20, true);
  subject.ask(30, "moved");
  expect(subject.decide(40, true)[1]).not.toHaveProperty("again");
  expect(subject.task()).toMatchObject({ effect: "open" });
});
