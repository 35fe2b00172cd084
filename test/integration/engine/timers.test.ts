/** Timers, and runs that leave memory while they wait. */
import { expect, test } from "vitest";
import { childRunId, shardOf } from "../../../src/base/ids.ts";
import { eventually } from "../../support/eventually.ts";
import { startOf } from "../../support/start-of.ts";
import { CALLER, createBed, type Instance, SHARDS } from "./bed.ts";
import { answerLate } from "./faulty-journal.ts";

const bed = createBed();

const NEVER = new AbortController().signal;

/** Drops everything that only waits, whenever it was touched last. */
function park(instance: Instance): number {
  return instance.runs.residence.evictIdle(-60_000);
}

test("a timer that fires before its time by the clock of the database is refused, and fires once when it is due", async () => {
  await bed.register("nap", [{ id: "w", type: "wait", parameters: { duration: "700ms" } }]);
  const instance = await bed.openInstance();
  const { run } = await instance.engine.startRun(CALLER, startOf("nap"), 0);
  const { runId } = run.state;
  const resident = instance.runs.residence.residents.get(runId);
  const dueAt = resident?.entity.state.timers.get("w") ?? 0;
  expect(dueAt).toBeGreaterThan(0);
  // A clock that runs ahead: the machine believes that the time has come.
  if (resident !== undefined) instance.runtime.submission.post(resident, { type: "due", at: dueAt, random: 0 });
  const view = await instance.engine.waitRun(CALLER, runId, 10_000, NEVER);
  expect(view.state.phase).toBe("COMPLETED");
  const [row] = await bed.sql<{ early: boolean }>(
    "SELECT ended_at < to_timestamp($1::float8 / 1000) AS early FROM orchestrator.runs",
    [dueAt],
  );
  expect(row?.early).toBe(false);
  const ends = (await bed.recordsOf(runId)).filter((record) => record.type === "task.completed");
  expect(ends).toHaveLength(1);
  expect(ends[0]?.at).toBeGreaterThanOrEqual(dueAt);
});

test("a wait is as long as it says when the database answers late", async () => {
  // Cause: the clock of an answer was taken for that of its arrival, so what was counted from it ended early by the
  // time that the answer took.
  await bed.register("nap", [{ id: "w", type: "wait", parameters: { duration: "700ms" } }]);
  const instance = await bed.openInstance();
  instance.journal.onCommit(answerLate(600));
  await instance.engine.startRun(CALLER, startOf("nap"), 0);
  const begun = performance.now();
  const { run } = await instance.engine.startRun(CALLER, startOf("nap"), 0);
  const view = await instance.engine.waitRun(CALLER, run.state.runId, 10_000, NEVER);
  expect(view.state.phase).toBe("COMPLETED");
  expect(performance.now() - begun).toBeGreaterThanOrEqual(700);
});

test("an early timer is not tried again and again until its time comes", async () => {
  await bed.register("nap", [{ id: "w", type: "wait", parameters: { duration: "1s" } }]);
  const instance = await bed.openInstance();
  const { run } = await instance.engine.startRun(CALLER, startOf("nap"), 0);
  // The clock of the database was set back by far: ours is ahead of it and never runs backwards.
  const { clock } = instance.runtime;
  clock.sample((run.state.createdAt ?? 0) + 2_000, clock.monotonic());
  instance.runtime.clock.now();
  const before = instance.journal.batches.length;
  const view = await instance.engine.waitRun(CALLER, run.state.runId, 10_000, NEVER);
  expect(view.state.phase).toBe("COMPLETED");
  expect(instance.journal.batches.length - before).toBeLessThan(12);
});

test("what else happened in the batch of an early timer is kept", async () => {
  await bed.register("nap", [
    { id: "w", type: "wait", parameters: { duration: "10m" } },
    { id: "s", type: "signal", parameters: { name: "s" } },
  ]);
  const instance = await bed.openInstance();
  const { run } = await instance.engine.startRun(CALLER, startOf("nap"), 0);
  const { runId } = run.state;
  const resident = instance.runs.residence.residents.get(runId);
  if (resident !== undefined)
    instance.runtime.submission.post(resident, {
      type: "due",
      at: resident.entity.state.timers.get("w") ?? 0,
      random: 0,
    });
  await instance.engine.signalRun(CALLER, runId, "s", 5);
  const state = await bed.stateOf(runId);
  expect(state.tasks.get("s")).toMatchObject({ state: "COMPLETED", output: 5 });
  expect(state.tasks.get("w")).toMatchObject({ state: "WAITING" });
});

test("waiting runs leave memory; signals, approvals and cancel reach them", async () => {
  await bed.register("gate", [{ id: "s", type: "signal", parameters: { name: "s" } }]);
  await bed.register("ask", [{ id: "ok", type: "approval", parameters: { title: "t" } }]);
  const instance = await bed.openInstance();
  const start = async (flow: string) => (await instance.engine.startRun(CALLER, startOf(flow), 0)).run.state.runId;
  const [signalled, decided, canceled] = [await start("gate"), await start("ask"), await start("gate")];
  expect(park(instance)).toBe(3);
  expect(instance.runs.residence.residents.size).toBe(0);
  await instance.engine.signalRun(CALLER, signalled, "s", 1);
  await instance.engine.decideApproval(CALLER, decided, await bed.openApprovalOf(decided), {
    approved: true,
    comment: "",
    data: null,
  });
  await instance.engine.cancelRun(CALLER, canceled, "", false);
  expect((await bed.stateOf(signalled)).phase).toBe("COMPLETED");
  expect((await bed.stateOf(decided)).phase).toBe("COMPLETED");
  expect((await bed.stateOf(canceled)).phase).toBe("CANCELED");
});

test("runs that will be tried again much later, and parents that wait for child runs, leave memory and go on", async () => {
  await bed.register("flaky", [
    {
      id: "a",
      type: "noop",
      retry_policy: { max_retries: 3, initial_delay: "1h", backoff_type: "fixed", max_delay: "2h" },
    },
    { id: "m", type: "map", parameters: { items: [1, 2], task: { type: "wait", parameters: { duration: "1h" } } } },
  ]);
  await bed.register("child", [{ id: "s", type: "signal", parameters: { name: "s" } }]);
  await bed.register("parent", [{ id: "p", type: "subflow", parameters: { flow_id: "child" } }]);
  const instance = await bed.openInstance();
  const { engine, runs } = instance;
  const error = { type: "E", message: "", retryable: true };
  instance.tools.answer("a", ({ attempt }) => (attempt === 1 ? { ok: false, error } : { ok: true, output: attempt }));
  const start = async (flow: string) => (await engine.startRun(CALLER, startOf(flow), 0)).run.state.runId;
  const [flaky, parent] = [await start("flaky"), await start("parent")];
  const ended = engine.waitRun(CALLER, parent, 20_000, NEVER);
  await eventually(async () => expect((await bed.stateOf(flaky)).tasks.get("a")?.state).toBe("RETRYING"));
  await eventually(async () =>
    expect((await bed.stateOf(childRunId(parent, "p", 1))).tasks.get("s")?.state).toBe("WAITING"),
  );
  await eventually(() => {
    park(instance);
    expect(runs.residence.residents.size).toBe(0);
  });
  await engine.signalRun(CALLER, childRunId(parent, "p", 1), "s", 7);
  expect((await ended).state).toMatchObject({ phase: "COMPLETED", output: { p: { s: 7 } } });
  await bed.sql("UPDATE orchestrator.runs SET wake_at = clock_timestamp()");
  await bed.sql(
    `UPDATE orchestrator.journal SET records = regexp_replace(records, '"dueAt":\\d+', '"dueAt":' || (extract(epoch FROM clock_timestamp()) * 1000)::bigint, 'g')`,
  );
  await runs.residence.wakeDue();
  const { state } = await engine.waitRun(CALLER, flaky, 20_000, NEVER);
  expect(state).toMatchObject({ phase: "COMPLETED", output: { a: 2 } });
  expect(instance.tools.calls.map(({ attempt }) => attempt)).toEqual([1, 2]);
});

test("those who wait for a run do not keep it in memory, and are answered when it ends, when they give up, when it transitions", async () => {
  await bed.register("gate", [{ id: "s", type: "signal", parameters: { name: "s" } }]);
  const instance = await bed.openInstance();
  const givesUp = new AbortController();
  const start = async (waitMs: number) => {
    const runId = `run-${waitMs}`;
    const answer = instance.engine.startRun(CALLER, startOf("gate", { runId }), waitMs, givesUp.signal);
    await eventually(() => expect(instance.runs.residence.residents.get(runId)?.waits.size).toBe(1));
    return { runId, answer };
  };
  const [ends, lasts, transitions] = [await start(60_000), await start(40_000), await start(50_000)];
  const late = instance.engine.waitRun(CALLER, transitions.runId, 50_000, NEVER);
  await eventually(() => expect(instance.runs.residence.residents.get(transitions.runId)?.waits.size).toBe(2));
  expect(park(instance)).toBe(3);
  expect(instance.runs.residence.residents.size).toBe(0);
  await instance.engine.signalRun(CALLER, ends.runId, "s", 1);
  expect((await ends.answer).run.state.phase).toBe("COMPLETED");
  const moved = instance.runtime.shards.owned.find((shard) => shard === shardOf(transitions.runId, SHARDS)) ?? -1;
  instance.runtime.shards.lose(moved);
  expect((await transitions.answer).run.state.phase).toBe("RUNNING");
  expect((await late).state.phase).toBe("RUNNING");
  givesUp.abort();
  expect((await lasts.answer).run.state).toMatchObject({ runId: lasts.runId, phase: "RUNNING" });
});

test("a signal that meets a run on its way out of memory is not lost", async () => {
  await bed.register("gate", [{ id: "s", type: "signal", parameters: { name: "last" } }]);
  const instance = await bed.openInstance();
  const { run } = await instance.engine.startRun(CALLER, startOf("gate"), 0);
  const { runId } = run.state;
  const names = Array.from({ length: 100 }, (_, index) => `n${index}`);
  const parking = setInterval(() => park(instance), 1);
  await Promise.all(
    names.map((name) => eventually(() => instance.engine.signalRun(CALLER, runId, name, null, { id: name, hash: "" }))),
  );
  clearInterval(parking);
  const state = await bed.stateOf(runId);
  expect(state.signals.map((signal) => signal.name).toSorted()).toEqual(names.toSorted());
});

test("the timer of a run that is not in memory fires, by the look into the store or after a restart", async () => {
  await bed.register("nap", [{ id: "w", type: "wait", parameters: { duration: "1h" } }]);
  const first = await bed.openInstance();
  const { run } = await first.engine.startRun(CALLER, startOf("nap"), 0);
  const { runId } = run.state;
  expect(park(first)).toBe(1);
  // An hour later: the run was made earlier, and so is everything in it.
  await bed.sql("UPDATE orchestrator.runs SET wake_at = clock_timestamp()");
  await bed.sql(
    `UPDATE orchestrator.journal SET records = regexp_replace(records, '"dueAt":\\d+', '"dueAt":' || (extract(epoch FROM clock_timestamp()) * 1000)::bigint)`,
  );
  await first.runs.residence.wakeDue();
  expect((await first.engine.waitRun(CALLER, runId, 10_000, NEVER)).state.phase).toBe("COMPLETED");
});

test("a wait, a retry and a deadline that came due while nobody ran are acted upon after the restart", async () => {
  await bed.register("nap", [{ id: "w", type: "wait", parameters: { duration: "300ms" } }]);
  await bed.register("again", [
    { id: "t", type: "noop", retry_policy: { max_retries: 1, backoff_type: "fixed", initial_delay: "300ms" } },
  ]);
  await bed.register("gate", [{ id: "s", type: "signal", parameters: { name: "s" } }]);
  const first = await bed.openInstance();
  first.tools.answer("t", () => ({ ok: false, error: { type: "BUSY", message: "", retryable: true } }));
  const start = async (flow: string, more = {}) =>
    (await first.engine.startRun(CALLER, startOf(flow, more), 0)).run.state.runId;
  const waits = await start("nap");
  const retries = await start("again");
  const expires = await start("gate", { runTimeoutMs: 300 });
  await eventually(async () => expect((await bed.stateOf(retries)).tasks.get("t")?.state).toBe("RETRYING"));
  await first.crash();
  const [at] = await bed.sql<{ now: number }>("SELECT extract(epoch FROM clock_timestamp())::float8 * 1000 AS now");
  await eventually(async () => {
    const [now] = await bed.sql<{ now: number }>("SELECT extract(epoch FROM clock_timestamp())::float8 * 1000 AS now");
    expect((now?.now ?? 0) - (at?.now ?? 0)).toBeGreaterThan(300);
  });
  const second = await bed.openInstance();
  const end = async (runId: string) => (await second.engine.waitRun(CALLER, runId, 10_000, NEVER)).state;
  expect((await end(waits)).phase).toBe("COMPLETED");
  expect((await end(expires)).phase).toBe("TIMED_OUT");
  expect(await end(retries)).toMatchObject({ phase: "COMPLETED" });
  // The attempt before the crash counts.
  expect(second.tools.calls.map((call) => call.attempt)).toEqual([2]);
});

test("an engine starts with the clock of the database, however wrong that of the machine is", async () => {
  await bed.register("nap", [{ id: "w", type: "wait", parameters: { duration: "200ms" } }]);
  const instance = await bed.openInstance({ machineClockMs: 3_600_000 });
  const before = performance.now();
  const { run } = await instance.engine.startRun(CALLER, startOf("nap"), 10_000);
  expect(run.state.phase).toBe("COMPLETED");
  expect(performance.now() - before).toBeLessThan(5_000);
  const [row] = await bed.sql<{ ahead: number }>(
    "SELECT extract(epoch FROM created_at - clock_timestamp())::float8 AS ahead FROM orchestrator.runs",
  );
  expect(row?.ahead).toBeLessThan(1);
});

test("as many timers as one wants come due at once and all fire", async () => {
  await bed.register("nap", [{ id: "w", type: "wait", parameters: { duration: "1s" } }]);
  const first = await bed.openInstance();
  const starts = Array.from({ length: 6_000 }, () => startOf("nap"));
  await first.engine.startRuns(CALLER, starts, 0);
  await first.crash();
  const second = await bed.openInstance();
  await eventually(
    async () => {
      const [row] = await bed.sql<{ open: number }>(
        "SELECT count(*) AS open FROM orchestrator.runs WHERE ended_at IS NULL",
      );
      expect(row?.open).toBe(0);
    },
    { timeoutMs: 50_000, intervalMs: 200 },
  );
  expect(second.lines.filter((line) => line.level === "error")).toEqual([]);
});
