/** The run machine where a single decision matters: retry delays, holds of takeovers, interrupted graphs. */
import { describe, expect, test } from "vitest";
import type { Json, JsonObject } from "../../../../src/base/json/json.ts";
import { applyRecord, foldJournal } from "../../../../src/engine/machine/apply.ts";
import { decide } from "../../../../src/engine/machine/decide.ts";
import { attemptOf, type JournalRecord } from "../../../../src/engine/machine/records.ts";
import { openRun, type Run } from "../../../../src/engine/machine/run.ts";
import { advance } from "../../../../src/engine/machine/settle.ts";
import { createState, publicState } from "../../../../src/engine/machine/state.ts";
import { retryDelayMs } from "../../../../src/engine/machine/tasks/retries.ts";
import { compileFlow } from "../../../../src/flows/compile.ts";
import { runTimeoutMs } from "../../../../src/flows/input.ts";
import type { TaskSpec } from "../../../../src/flows/plan.ts";

const facts = { userId: "", correlationId: "", labels: {}, runKey: "", requestId: "", context: null, parent: null };

async function startRun(task: object): Promise<{ run: Run; journal: JournalRecord[] }> {
  const document = { id: "f", version: "1", workflow: { tasks: [{ id: "a", type: "noop", ...task }] } };
  const { plan } = await compileFlow({ document });
  const run = openRun(createState("run"), plan);
  const start = { type: "start", at: 1, tenantId: "t", vars: {}, deadlineAt: null, startAt: null, facts } as const;
  return { run, journal: advance(run, { ...start, signals: [] }) };
}

describe("now() in expressions", () => {
  test("is the time of the event, the same for all that one transition evaluates", async () => {
    const { run, journal } = await startRun({
      type: "transform",
      parameters: { output: ["${now()}", "${string(now()) + '!'}"] },
    });
    const output = ["1970-01-01T00:00:00.001Z", "1970-01-01T00:00:00.001Z!"];
    expect(run.state.tasks.get("a")?.output).toEqual(output);
    expect(foldJournal(run.state.runId, journal).tasks.get("a")?.output).toEqual(output);
  });
});

describe("retry delays", () => {
  const specOf = async (retry: object): Promise<TaskSpec> => {
    const { run } = await startRun({ retry_policy: { max_retries: 5_000, ...retry } });
    if (run.plan.kind !== "dag") throw new Error("no DAG");
    return (run.plan.nodes[0] as { task: TaskSpec }).task;
  };
  const error = { type: "E", message: "", retryable: true };

  test("an initial delay of 0 stays 0 after however many attempts", async () => {
    // Cause: the power becomes infinite, and 0 × ∞ is NaN: the run was due at NaN and timed out.
    for (const backoff_type of ["exponential", "full_jitter"]) {
      const spec = await specOf({ backoff_type, initial_delay: 0, multiplier: 10 });
      expect(retryDelayMs(spec.retry, 4_000, error, 0.5)).toBe(0);
    }
  });

  test("what a tool asks for is never less than nothing, and a number", async () => {
    const spec = await specOf({ backoff_type: "fixed", initial_delay: "2s" });
    const asks = (nextRetryDelayMs: number): number => retryDelayMs(spec.retry, 1, { ...error, nextRetryDelayMs }, 0.5);
    expect([asks(Number.NaN), asks(Number.POSITIVE_INFINITY), asks(-5), asks(7)]).toEqual([2_000, 2_000, 0, 7]);
  });

  test("a record that is due at no time is refused", async () => {
    const { run } = await startRun({});
    const retrying = { type: "task.retrying", at: 2, task: "a", error, dueAt: Number.NaN } as const;
    expect(() => applyRecord(run.state, retrying)).toThrow("invariant");
  });
});

test("each kind of hold is released by itself", async () => {
  // Cause: a pause by the parent and one by the child's own operator were one hold, and the first resume took both
  // away.
  const { run } = await startRun({});
  const hold = { type: "hold", at: 2, by: "", why: "" } as const;
  const release = { type: "release", at: 3, by: "", why: "" } as const;
  advance(run, { ...hold, hold: "operator" });
  advance(run, { ...hold, hold: "parent" });
  expect(advance(run, { ...release, hold: "operator" })).toMatchObject([{ type: "run.released", hold: "operator" }]);
  expect(publicState(run.state)).toBe("PAUSED");
  expect(advance(run, { ...release, hold: "operator" })).toEqual([]);
  advance(run, { ...release, hold: "parent" });
  expect(run.state.holds).toEqual([]);
});

test("no number of takeovers puts a run into quarantine: whom a death is held against is not for the machine to say", async () => {
  // Cause: every run with an attempt under way was counted at every death, and held after the fourth.
  const { run } = await startRun({});
  for (let at = 10; at <= 100; at += 10) {
    const records = advance(run, { type: "recover", at, clean: false });
    expect(records.map((record) => record.type)).toEqual(["run.recovered", "task.dispatched"]);
  }
  expect(run.state).toMatchObject({ recoveries: 10, holds: [] });
});

test("a graph that is interrupted under a hold for a signal that is there already goes on after the release", async () => {
  // Cause: only answers that came later asked whether the run was held; this one dispatched at once.
  const { run } = await startRun({});
  const task = run.state.tasks.get("a");
  advance(run, { type: "signal", at: 2, name: "go", payload: 7 });
  advance(run, { type: "hold", at: 3, hold: "operator", by: "op", why: "" });
  const suspended = { key: "k", wait: { kind: "signal", name: "go" }, value: {}, timeoutMs: null } as const;
  const error = { type: "SUSPENDED", message: "", retryable: false };
  const outcome = { ok: false, error, suspended } as const;
  const token = task?.token ?? 0;
  const records = advance(run, { type: "reported", at: 4, task: "a", token, outcome, random: 0 });
  expect(records.map((record) => record.type)).toEqual(["task.suspended", "signal.consumed", "task.retrying"]);
  advance(run, { type: "release", at: 5, hold: "operator", by: "op", why: "" });
  expect(advance(run, { type: "due", at: 6, random: 0 })).toMatchObject([{ type: "task.dispatched", attempt: 1 }]);
  expect(task).toMatchObject({ state: "RUNNING", answer: { key: "k", value: 7 } });
});

test("judging a signal leaves the run as it is, so that deciding twice gives the same", async () => {
  // Cause: the signals that were judged were written down by `decide`.
  const workflow = {
    states: [
      { id: "s", on: [{ signal: "go", when: "${signal.payload > 1}", to: "e" }] },
      { id: "e", final: "completed" },
    ],
  };
  const { plan } = await compileFlow({ document: { id: "f", version: "1", workflow } });
  const run = openRun(createState("run"), plan);
  const start = { type: "start", at: 1, tenantId: "t", vars: {}, deadlineAt: null, startAt: null, facts } as const;
  const journal = advance(run, { ...start, signals: [{ name: "go", payload: 1 }] });
  const before = structuredClone(run.judged);
  const need = { kind: "on", state: "s", signal: 1, entries: [0] } as const;
  expect(
    decide(run, { type: "evaluated", at: 2, need, result: { ok: true, value: { index: -1, error: null } } }),
  ).toEqual([]);
  expect(structuredClone(run.judged)).toEqual(before);
  expect(foldJournal("run", journal)).toEqual(run.state);
});

// Cause: of all events only the one that begins an attempt told its number.
test("every record of an attempt tells its number, and one of a task without attempts tells 0", async () => {
  const { run, journal } = await startRun({ retry_policy: { max_retries: 2, initial_delay: 1 } });
  const error = { type: "E", message: "", retryable: true };
  const report = (at: number, outcome: object): void => {
    const token = run.state.tasks.get("a")?.token ?? 0;
    const event = { type: "reported", at, task: "a", token, outcome, random: 0 } as Parameters<typeof advance>[1];
    journal.push(...advance(run, event));
  };
  const goOn = (at: number): void => void journal.push(...advance(run, { type: "due", at, random: 0 }));
  report(10, { ok: false, error });
  goOn(5_000);
  // The call was put off: it is made again with its number.
  report(5_010, { ok: false, error, deferMs: 5 });
  goOn(9_000);
  report(9_010, { ok: true, output: null });
  const told = journal.flatMap((record) => ("task" in record ? [`${record.type} ${attemptOf(record)}`] : []));
  expect(told).toEqual([
    "task.dispatched 1",
    "task.retrying 1",
    "task.dispatched 2",
    "task.retrying 2",
    "task.dispatched 2",
    "task.completed 2",
  ]);
  expect(foldJournal("run", journal)).toEqual(run.state);
  // The first attempt costs no field.
  expect(journal.filter((record) => "attempt" in record && record.type !== "task.dispatched")).toHaveLength(2);

  const { journal: inline } = await startRun({ type: "transform", parameters: { output: 1 } });
  expect(inline.flatMap((record) => ("task" in record ? [`${record.type} ${attemptOf(record)}`] : []))).toEqual([
    "task.completed 0",
  ]);
  const { journal: broken } = await startRun({ type: "transform", parameters: { output: "${1 / 0}" } });
  expect(broken.flatMap((record) => ("task" in record ? [`${record.type} ${attemptOf(record)}`] : []))).toEqual([
    "task.failed 0",
  ]);
  const { run: waiting, journal: waited } = await startRun({ type: "wait", parameters: { duration: 1 } });
  waited.push(...advance(waiting, { type: "due", at: 50_000, random: 0 }));
  expect(waited.flatMap((record) => ("task" in record ? [`${record.type} ${attemptOf(record)}`] : []))).toEqual([
    "task.waiting 1",
    "task.completed 1",
  ]);
});

describe("guards", () => {
  const startFsm = async (state: object, signals: { name: string; payload: Json }[]) => {
    const states = [
      { id: "s", ...state },
      { id: "done", final: "completed" },
    ];
    const { plan } = await compileFlow({ document: { id: "f", version: "1", workflow: { states } } as JsonObject });
    const run = openRun(createState("run"), plan);
    const start = { type: "start", at: 1, tenantId: "t", vars: {}, deadlineAt: null, startAt: null, facts } as const;
    return { run, journal: advance(run, { ...start, signals }) };
  };

  test("one that cannot be evaluated leaves the signal queued and says where and why, once", async () => {
    // Cause: the evaluation of a guard failed the run.
    const on = [{ signal: "go", when: "${signal.payload.plan == 1}", to: "done" }];
    const { run, journal } = await startFsm({ on }, [{ name: "go", payload: null }]);
    const failed = journal.filter((record) => record.type === "signal.guard_failed");
    expect(failed).toMatchObject([{ id: 1, name: "go", state: "s", error: { type: "EXPRESSION_FAILED" } }]);
    expect(failed[0]?.error.message).toMatch(/^on\[0\]\.when: .*signal\.payload\.plan/);
    // A new owner judges the signal again.
    const reopened = openRun(foldJournal("run", journal), run.plan);
    const continued = advance(reopened, { type: "recover", at: 2, clean: false });
    expect(continued.map(({ type }) => type)).toEqual(["run.recovered"]);
    expect(publicState(reopened.state)).toBe("WAITING");
    advance(reopened, { type: "signal", at: 3, name: "go", payload: { plan: 1 } });
    expect(reopened.state.phase).toBe("COMPLETED");
  });

  test("one that is too costly does not admit", async () => {
    const on = [{ signal: "go", when: "${signal.payload.all(x, signal.payload.all(y, x + y >= 0))}", to: "done" }];
    const payload = Array.from({ length: 2_000 }, (_, index) => index);
    const { run, journal } = await startFsm({ on }, [{ name: "go", payload }]);
    expect(run.state.phase).toBe("RUNNING");
    expect(journal.at(-1)).toMatchObject({ type: "state.settled" });
    expect(journal).toContainEqual(
      expect.objectContaining({
        type: "signal.guard_failed",
        error: expect.objectContaining({ type: "EXPRESSION_TOO_COSTLY" }),
      }),
    );
  });

  test("that of a transition fails the run, and the error names it", async () => {
    const transitions = [
      { when: "${false}", to: "done" },
      { when: "${1}", to: "done" },
    ];
    const { run } = await startFsm({ transitions }, []);
    expect(run.state).toMatchObject({ phase: "FAILED", error: { type: "EXPRESSION_FAILED", task: "s" } });
    expect(run.state.error?.message).toMatch(/^transitions\[1\]\.when: /);
  });

  test("a signal task whose name no caller can send fails", async () => {
    const { run } = await startRun({ type: "signal", parameters: { name: "${'pay ment'}" } });
    expect(run.state.failure).toMatchObject({ type: "EXPRESSION_FAILED", task: "a" });
    expect(run.state.failure?.message).toMatch(/^parameters\.name: expected the name of a signal/);
  });
});

// Cause: NUL from an expression passed every check, was stored, and answered as another character by each protocol.
describe("text that no caller could send", () => {
  const nul = "${'a\\u0000b'}";
  test.each([
    ["the body of a request", "http", { url: "http://x", body: { a: [nul] } }],
    ["the title of an approval", "approval", { title: nul }],
    ["an event", "emit", { topic: "t", payload: { a: nul } }],
    ["the input of a child", "subflow", { flow_id: "kid", input: { a: nul } }],
    ["a label of a child", "subflow", { flow_id: "kid", labels: { a: nul } }],
    ["an item of a map", "map", { items: "${['a\\u0000b']}", task: { type: "noop" } }],
    ["an output", "transform", { output: nul }],
  ])("fails the task instead of reaching %s", async (_where, type, parameters) => {
    const { run } = await startRun({ type, parameters });
    expect(run.state.failure).toMatchObject({
      type: "EXPRESSION_FAILED",
      task: "a",
      message: expect.stringContaining("NUL"),
    });
  });
});

describe("durations that are expressions", () => {
  const startWith = async (workflow: object, vars: JsonObject) => {
    const variables = Object.keys(vars).map((name) => ({ name }));
    const document = { id: "f", version: "1", variables, workflow } as unknown as JsonObject;
    const { plan } = await compileFlow({ document });
    const run = openRun(createState("run"), plan);
    const start = { type: "start", at: 1_000, tenantId: "t", vars, deadlineAt: null, startAt: null, facts } as const;
    return { plan, run, journal: advance(run, { ...start, signals: [] }) };
  };

  test("are evaluated once, when the task is scheduled, and journaled with their values", async () => {
    const task = { id: "a", type: "signal", timeout: "${vars.plan_days * 86400}" };
    const { run, journal } = await startWith({ tasks: [task] }, { plan_days: 30 });
    const limits = { startToCloseMs: 30 * 86_400_000 };
    expect(journal.at(-1)).toMatchObject({ type: "task.waiting", dueAt: 1_000 + 30 * 86_400_000, limits });
    expect(foldJournal("run", journal)).toEqual(run.state);
  });

  test("bound attempts, retries and children", async () => {
    const retry_policy = { max_retries: 5, backoff_type: "fixed", initial_delay: "${d}", max_delay: "${d * 2}s" };
    const call = { id: "a", type: "noop", retry_policy, schedule_to_close_timeout: "${d * 3}" };
    const group = {
      id: "g",
      type: "parallel",
      timeout: "${d}",
      parameters: { tasks: [{ type: "noop", timeout: "${d}" }] },
    };
    const { run, journal } = await startWith({ tasks: [call, group] }, { d: 7 });
    expect(journal).toContainEqual(expect.objectContaining({ type: "task.expanded", task: "g", dueAt: 8_000 }));
    expect(run.state.tasks.get("g.0")?.limits).toEqual({ startToCloseMs: 7_000 });
    const fail = (at: number): JournalRecord[] => {
      const token = run.state.tasks.get("a")?.token ?? 0;
      const outcome = { ok: false, error: { type: "E", message: "", retryable: true } } as const;
      return advance(run, { type: "reported", at, task: "a", token, outcome, random: 0 });
    };
    expect(fail(2_000)).toMatchObject([{ type: "task.retrying", dueAt: 9_000 }]);
    // The group's time is over first.
    for (const at of [8_000, 9_000]) advance(run, { type: "due", at, random: 0 });
    expect(fail(16_000).find((record) => "task" in record && record.task === "a")).toMatchObject({
      type: "task.failed",
      deadLetter: "OUT_OF_TIME",
    });
  });

  test.each([
    [{ timeout: "${vars.d}" }, "timeout: expected a duration: seconds (90) or units"],
    [{ retry_policy: { initial_delay: "${vars.d.x}" } }, "retry_policy.initial_delay: "],
    [{ heartbeat_timeout: "${1 - 2}" }, "heartbeat_timeout: expected a duration"],
    // Cause: the attempt "took longer than 0 ms".
    [{ timeout: "${1 - 1}" }, "timeout: a timeout of 0 ends before anything can happen; leave it out"],
  ])("%j that gives none fails the task and names the place", async (limits, message) => {
    const { run } = await startWith({ tasks: [{ id: "a", type: "noop", ...limits }] }, { d: "soon" });
    expect(run.state.failure).toMatchObject({ type: "EXPRESSION_FAILED", task: "a" });
    expect(run.state.failure?.message.slice(0, message.length)).toBe(message);
  });

  test("the timeout of a run reads its variables", async () => {
    const { plan } = await startWith({ timeout: "${hours * 3600}", tasks: [{ id: "a", type: "noop" }] }, { hours: 2 });
    expect(runTimeoutMs(plan, { hours: 2 }, 0)).toBe(7_200_000);
    expect(() => runTimeoutMs(plan, { hours: null }, 0)).toThrow(/workflow\.timeout: /);
  });

  test("the delay of a state is fixed on entry", async () => {
    const states = [
      {
        id: "s",
        after: [
          { delay: "${days}d", to: "t" },
          { delay: "${vars.days}", to: "t" },
        ],
      },
      { id: "t", final: "completed" },
    ];
    const { journal } = await startWith({ states }, { days: 3 });
    expect(journal.at(-1)).toMatchObject({ type: "state.settled" });
    expect(journal).toContainEqual({
      type: "state.armed",
      at: 1_000,
      after: [
        { index: 0, dueAt: 1_000 + 3 * 86_400_000 },
        { index: 1, dueAt: 4_000 },
      ],
    });
  });
});
