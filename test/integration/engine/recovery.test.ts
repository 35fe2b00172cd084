/** Runs whose work is done elsewhere and of which nothing is heard any more: what each strategy does with them. */
import { expect, test } from "vitest";
import type { JsonObject } from "../../../src/base/json/json.ts";
import { silentLog } from "../../../src/base/log.ts";
import { OutboxGate } from "../../../src/engine/runs/dispatch/outbox-gate.ts";
import { Recovery } from "../../../src/engine/runs/recovery.ts";
import { createIdleRuns } from "../../../src/store/journal/idle-runs.ts";
import { eventually } from "../../support/eventually.ts";
import { startOf } from "../../support/start-of.ts";
import { CALLER, createBed } from "./bed.ts";
import { connectWorker } from "./fake-worker.ts";

const bed = createBed();
const NEVER = new AbortController().signal;
const EXECUTOR = { id: "a", type: "queue", parameters: { handler: "work", inputs: { n: "${n}" } } };

/** An instance whose messages to executors are lost, and its recovery, which looks when the test asks it to. */
async function open() {
  const gate = new OutboxGate();
  gate.set({ messages: 0, bytes: 0 }, false);
  const instance = await bed.openInstance({ topics: gate });
  const { engine, runs } = instance;
  const idle = createIdleRuns(bed.database.reads);
  const recovery = new Recovery({ idle, runs, control: engine, log: silentLog });
  const start = async (flow: string, rule: JsonObject | null, more: object = {}, task: JsonObject = EXECUTOR) => {
    const workflow = { tasks: [task], ...(rule === null ? {} : { recovery: rule }) };
    await bed.register(flow, { id: flow, variables: [{ name: "n", default: 1 }], workflow });
    const { run } = await engine.startRun(CALLER, startOf(flow, { input: { n: 7 }, ...more }), 0);
    const { runId } = run.state;
    await eventually(async () => expect((await bed.stateOf(runId)).tasks.get("a")?.handedTo).not.toBe(null));
    return runId;
  };
  /** Looks until so many orphans were found. */
  const found = (orphans: number) =>
    eventually(async () => {
      await recovery.look();
      expect(recovery.counts.orphans).toBe(orphans);
    });
  return { instance, engine, recovery, start, found };
}

const IDLE = { idle_after: "1s" };

test("resume hands the task out again, with a higher fence and the same attempt", async () => {
  const { recovery, start, found } = await open();
  const runId = await start("resumed", { strategy: "resume", ...IDLE });
  const before = (await bed.stateOf(runId)).tasks.get("a");
  await recovery.look();
  expect(recovery.counts).toMatchObject({ orphans: 0, lastRunAt: expect.any(Number) });
  await found(1);
  await eventually(async () => {
    const after = (await bed.stateOf(runId)).tasks.get("a");
    expect(after).toMatchObject({ state: "SCHEDULED", attempt: 1, losses: 1, handedTo: before?.handedTo });
    expect(after?.token).toBeGreaterThan(before?.token ?? 0);
  });
  const sent = await bed.sql("SELECT 1 FROM orchestrator.outbox WHERE run_id = $1 AND kind = 'task'", [runId]);
  expect(sent).toHaveLength(2);
  expect(recovery.counts).toMatchObject({ resumed: 1, restarted: 0, failed: 0 });
});

test.each(["", "k"])("restart starts one run like it, and terminates the old one; run key: %j", async (runKey) => {
  const { engine, recovery, start, found } = await open();
  const more = { labels: { team: "x" }, correlationId: "c", userId: "u", runKey };
  const runId = await start(`restarted${runKey}`, { strategy: "restart", ...IDLE }, more);
  await found(1);
  const { state } = await engine.waitRun(CALLER, runId, 10_000, NEVER);
  expect([state.phase, state.cause?.reason]).toEqual(["TERMINATED", expect.any(String)]);
  const others = await bed.sql<{ run_id: string }>(
    "SELECT run_id FROM orchestrator.runs WHERE labels ->> 'restarted_from' = $1",
    [runId],
  );
  expect(others).toHaveLength(1);
  const next = await bed.stateOf(others[0]?.run_id ?? "");
  expect(next).toMatchObject({
    ...{ phase: "RUNNING", version: state.version, vars: { n: 7 } },
    facts: { labels: { team: "x", restarted_from: runId }, correlationId: "c", userId: "u", runKey },
  });
  // It is not replaced again.
  await found(2);
  expect((await engine.waitRun(CALLER, next.runId, 10_000, NEVER)).state).toMatchObject({
    phase: "FAILED",
    error: { type: "ORPHANED" },
  });
  expect(recovery.counts).toMatchObject({ restarted: 1, failed: 1, resumed: 0 });
});

test("fail ends the run with ORPHANED, and the task is not retried", async () => {
  const { engine, recovery, start, found } = await open();
  const task = { ...EXECUTOR, retry_policy: { max_retries: 5 } };
  const runId = await start("failed", { strategy: "fail", ...IDLE }, {}, task);
  await found(1);
  const { state } = await engine.waitRun(CALLER, runId, 10_000, NEVER);
  expect(state).toMatchObject({ phase: "FAILED", error: { type: "ORPHANED", message: expect.stringMatching(/1s/) } });
  expect(state.tasks.get("a")).toMatchObject({ attempt: 1, deadLetter: "NOT_RETRYABLE" });
  expect(recovery.counts).toMatchObject({ failed: 1, restarted: 0, resumed: 0 });
});

test("a run without the rule, one that is held, and one whose worker is there are left alone", async () => {
  const { instance, engine, recovery, start, found } = await open();
  await start("plain", null);
  const held = await start("held", { strategy: "fail", ...IDLE });
  await engine.pauseRun(CALLER, held, "test");
  connectWorker(instance, { handlers: ["work"] });
  const own = { id: "a", type: "worker", parameters: { handler: "work" } };
  const worked = await start("worked", { strategy: "fail", ...IDLE }, {}, own);
  const witness = await start("witness", { strategy: "fail", ...IDLE });
  await found(1);
  expect((await engine.waitRun(CALLER, witness, 10_000, NEVER)).state.phase).toBe("FAILED");
  await recovery.look();
  expect(recovery.counts.orphans).toBe(1);
  for (const runId of [held, worked]) expect((await bed.stateOf(runId)).phase).toBe("RUNNING");
});
