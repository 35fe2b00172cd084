/** Who owns a run when instances come, go, die and are believed dead. */
import { expect, test } from "vitest";
import { toError } from "../../../src/base/errors.ts";
import type { Engine } from "../../../src/engine/engine.ts";
import type { RunState } from "../../../src/engine/machine/state.ts";
import { NO_OBSERVER } from "../../../src/engine/shard/observer.ts";
import { eventually } from "../../support/eventually.ts";
import { startOf } from "../../support/start-of.ts";
import { CALLER, createBed, SHARDS } from "./bed.ts";

const bed = createBed();

const NEVER = new AbortController().signal;

async function waitEnd(engine: Engine, runId: string): Promise<RunState> {
  return (await engine.waitRun(CALLER, runId, 10_000, NEVER)).state;
}

async function typesOf(runId: string): Promise<string[]> {
  return (await bed.recordsOf(runId)).map((record) => record.type);
}

test("a current run at a crash is counted and goes on with the same key and a higher token", async () => {
  await bed.register("one", [{ id: "a", type: "noop" }]);
  const first = await bed.openInstance();
  first.tools.hold("a");
  const { run } = await first.engine.startRun(CALLER, startOf("one"), 0);
  await eventually(() => expect(first.tools.calls).toHaveLength(1));
  await first.crash();
  const second = await bed.openInstance();
  expect((await waitEnd(second.engine, run.state.runId)).phase).toBe("COMPLETED");
  expect((await typesOf(run.state.runId)).filter((type) => type === "run.recovered")).toHaveLength(1);
  const [before] = first.tools.calls;
  const [after] = second.tools.calls;
  expect(after?.idempotencyKey).toBe(before?.idempotencyKey);
  expect(after?.attempt).toBe(before?.attempt);
  expect(after?.fencingToken).toBeGreaterThan(before?.fencingToken ?? 0);
});

test("a run that was given back in good order is not counted", async () => {
  await bed.register("one", [{ id: "a", type: "noop" }]);
  const first = await bed.openInstance();
  first.tools.hold("a");
  const { run } = await first.engine.startRun(CALLER, startOf("one"), 0);
  await eventually(() => expect(first.tools.calls).toHaveLength(1));
  await first.stop();
  const second = await bed.openInstance();
  expect((await waitEnd(second.engine, run.state.runId)).phase).toBe("COMPLETED");
  expect(await typesOf(run.state.runId)).not.toContain("run.recovered");
});

test("progress between crashes keeps a run out of quarantine", async () => {
  const tasks = ["a", "b", "c", "d", "e"].map((id, index, all) => ({
    id,
    type: "noop",
    ...(index === 0 ? {} : { depends_on: [all[index - 1] ?? ""] }),
  }));
  await bed.register("steps", tasks);
  let instance = await bed.openInstance();
  for (const { id } of tasks) instance.tools.hold(id);
  const { run } = await instance.engine.startRun(CALLER, startOf("steps"), 0);
  const { runId } = run.state;
  for (const [index, { id }] of tasks.entries()) {
    await eventually(() => expect(instance.tools.calls.at(-1)?.path).toBe(id));
    await instance.crash();
    instance = await bed.openInstance();
    if (index + 1 < tasks.length) instance.tools.hold(tasks[index + 1]?.id ?? "");
  }
  expect((await waitEnd(instance.engine, runId)).phase).toBe("COMPLETED");
});

test("an instance that is believed dead writes nothing after the takeover and tells its callers", async () => {
  await bed.register("one", [{ id: "a", type: "noop", parameters: { output: "x" } }]);
  const zombie = await bed.openInstance();
  const release = zombie.tools.hold("a");
  const { run } = await zombie.engine.startRun(CALLER, startOf("one"), 0);
  const { runId } = run.state;
  await eventually(() => expect(zombie.tools.calls).toHaveLength(1));
  await zombie.expire();
  const heir = await bed.openInstance();
  const open = heir.tools.hold("a");
  await eventually(() => expect(heir.runtime.shards.owned).toHaveLength(SHARDS));
  await eventually(async () => expect(await typesOf(runId)).toContain("run.recovered"));
  const before = (await bed.recordsOf(runId)).length;
  const signal = zombie.engine.signalRun(CALLER, runId, "late", null);
  await expect(signal).rejects.toMatchObject({ code: "RUN_MOVED" });
  release({ ok: true, output: "of the zombie" });
  await eventually(() => expect(zombie.runs.residence.residents.size).toBe(0));
  expect(await bed.recordsOf(runId)).toHaveLength(before);
  open();
  expect(await waitEnd(heir.engine, runId)).toMatchObject({ phase: "COMPLETED", output: { a: "x" } });
});

test("shards are shared with an instance that joins, and both finish what is theirs", async () => {
  await bed.register("one", [{ id: "a", type: "noop" }]);
  const first = await bed.openInstance({ ttlMs: 600 });
  const release = first.tools.hold("a");
  const runs = await first.engine.startRuns(
    CALLER,
    Array.from({ length: 40 }, () => startOf("one")),
    0,
  );
  const second = await bed.openInstance({ ttlMs: 600 });
  const releaseOther = second.tools.hold("a");
  await eventually(() => {
    expect(first.runtime.shards.owned).toHaveLength(SHARDS / 2);
    expect(second.runtime.shards.owned).toHaveLength(SHARDS / 2);
  });
  release();
  releaseOther();
  await eventually(async () => {
    const [row] = await bed.sql<{ open: number }>(
      "SELECT count(*) AS open FROM orchestrator.runs WHERE ended_at IS NULL",
    );
    expect(row?.open).toBe(0);
  });
  expect(runs).toHaveLength(40);
  const recovered = await bed.sql("SELECT 1 FROM orchestrator.journal WHERE records LIKE '%run.recovered%'");
  expect(recovered).toHaveLength(0);
});

test("an instance whose lease ran out while nobody took its shards goes on with its runs", async () => {
  // The store was away, or the process stood still, for longer than the lease: the shards are still ours, yet nobody
  // were working on them.
  await bed.register("one", [{ id: "a", type: "noop" }]);
  const instance = await bed.openInstance({ ttlMs: 600 });
  const release = instance.tools.hold("a");
  const { run } = await instance.engine.startRun(CALLER, startOf("one"), 0);
  await eventually(() => expect(instance.tools.calls).toHaveLength(1));
  await bed.sql("UPDATE orchestrator.instances SET expires_at = clock_timestamp() - interval '1 hour'");
  await eventually(() => expect(instance.lines.map((line) => line.message).join()).toContain("had expired"));
  release();
  expect((await waitEnd(instance.engine, run.state.runId)).phase).toBe("COMPLETED");
});

// The lease began when the instance registered, before graph modules were loaded and partitions made. A start that took
// longer than the lease under load found it expired at the first renewal, a third of the lease time after it had begun
// to serve; until then others could take its shards.
test("an instance whose parts come up for longer than its lease has its lease when it takes shards", async () => {
  const instance = await bed.openInstance({
    ttlMs: 900,
    beforeStart: async () => {
      await bed.sql("UPDATE orchestrator.instances SET expires_at = clock_timestamp() - interval '1 second'");
    },
  });
  const [row] = await bed.sql<{ alive: boolean }>(
    "SELECT expires_at > clock_timestamp() AS alive FROM orchestrator.instances",
  );
  expect(row?.alive).toBe(true);
  await eventually(() => expect(instance.renewals()).toBeGreaterThan(2));
  expect(instance.lines.map((line) => line.message).join()).not.toContain("had expired");
});

test("renewals go on while many runs are adopted", async () => {
  await bed.register("one", [{ id: "a", type: "noop" }]);
  const first = await bed.openInstance();
  first.tools.hold("a");
  await first.engine.startRuns(
    CALLER,
    Array.from({ length: 20 }, () => startOf("one")),
    0,
  );
  await first.crash();
  // The lease renewer has not returned from the adoption: nothing can be read yet.
  let open = (): void => {};
  const opened = new Promise<void>((resolve) => (open = resolve));
  const second = await bed.openInstance({ ttlMs: 600, beforeLoad: () => opened });
  await eventually(() => expect(second.renewals()).toBeGreaterThan(3));
  expect(second.lines.map((line) => line.message).join()).not.toContain("had expired");
  open();
  await second.runtime.adopted;
});

test("a run that begins while runs are taken over is not taken over from ourselves", async () => {
  await bed.register("one", [{ id: "a", type: "noop" }]);
  let open = (): void => {};
  const opened = new Promise<void>((resolve) => (open = resolve));
  const instance = await bed.openInstance({ beforeList: () => opened });
  const release = instance.tools.hold("a");
  const { run } = await instance.engine.startRun(CALLER, startOf("one"), 0);
  await eventually(() => expect(instance.tools.calls).toHaveLength(1));
  open();
  await instance.runtime.adopted;
  release();
  expect((await waitEnd(instance.engine, run.state.runId)).phase).toBe("COMPLETED");
  expect(instance.tools.calls).toHaveLength(1);
  expect(await typesOf(run.state.runId)).not.toContain("run.recovered");
});

// Cause: nobody waited for the takeover when the instance stopped, so its questions met a closed store and were errors
// in the log of a stop in good order.
test("a stop waits for a takeover under way, which gives up without a word", async () => {
  let open = (): void => {};
  const opened = new Promise<void>((resolve) => (open = resolve));
  let isClosed = false;
  const instance = await bed.openInstance({
    beforeList: async () => {
      await opened;
      if (isClosed) throw new Error("asked after the stop");
      throw toError("STORE_UNAVAILABLE", { problem: "planted" });
    },
  });
  const stopped = instance.stop().then(() => (isClosed = true));
  // As long as a stop takes that has nothing to wait for.
  await (await bed.openInstance()).stop();
  expect(isClosed).toBe(false);
  open();
  await stopped;
  await instance.runtime.adopted;
  expect(instance.lines.filter(({ level }) => level !== "info")).toEqual([]);
});

test("a run whose journal could not be read at the takeover is taken over when it can", async () => {
  await bed.register("one", [{ id: "a", type: "noop" }]);
  const first = await bed.openInstance();
  first.tools.hold("a");
  const { run } = await first.engine.startRun(CALLER, startOf("one"), 0);
  await first.crash();
  let failures = 2;
  const second = await bed.openInstance({
    beforeLoad: () => {
      failures -= 1;
      if (failures >= 0) throw toError("STORE_UNAVAILABLE", { problem: "planted" });
    },
  });
  await second.runtime.adopted;
  expect((await waitEnd(second.engine, run.state.runId)).phase).toBe("COMPLETED");
});

test("a state that was read before the shard was lost and won back is not used", async () => {
  await bed.register("gate", [{ id: "go", type: "signal", parameters: { name: "go" } }]);
  const first = await bed.openInstance({ ttlMs: 600 });
  const { run } = await first.engine.startRun(CALLER, startOf("gate"), 0);
  const { runId } = run.state;
  await first.stop();
  const second = await bed.openInstance({ ttlMs: 60_000 });
  let open = (): void => {};
  const reached = new Promise<void>((resolve) => {
    second.journal.afterLoad = async () => {
      second.journal.afterLoad = null;
      resolve();
      await new Promise<void>((go) => (open = go));
    };
  });
  const late = second.engine.signalRun(CALLER, runId, "other", 1);
  late.catch(() => {});
  await reached;
  // Meanwhile the shards went to another owner, who moved the run, and came back.
  await bed.sql("UPDATE orchestrator.shard_leases SET epoch = epoch + 1, instance_id = NULL");
  second.runtime.shards.setLeases([]);
  const third = await bed.openInstance();
  await third.engine.signalRun(CALLER, runId, "early", 2);
  await third.stop();
  const { taken, held } = await second.leases.acquire();
  expect(taken).toHaveLength(SHARDS);
  second.runtime.shards.setLeases(held);
  open();
  await late.catch((error: unknown) => expect(error).toMatchObject({ code: "RUN_MOVED" }));
  await second.engine.signalRun(CALLER, runId, "last", 3);
  const state = await bed.stateOf(runId);
  expect(state.holds).toEqual([]);
  expect(state.signals.map((signal) => signal.name)).toEqual(expect.arrayContaining(["early", "last"]));
  expect(second.lines.filter((line) => line.level === "error")).toEqual([]);
});

test("no attempt begins after a takeover of a run that is being cancelled", async () => {
  await bed.register("one", [{ id: "a", type: "noop" }]);
  const first = await bed.openInstance();
  // A tool that does not listen.
  first.tools.answer("a", () => new Promise(() => {}));
  first.tools.deaf = true;
  const { run } = await first.engine.startRun(CALLER, startOf("one"), 0);
  const { runId } = run.state;
  await eventually(() => expect(first.tools.calls).toHaveLength(1));
  await first.engine.cancelRun(CALLER, runId, "no longer wanted", false);
  await first.crash();
  const second = await bed.openInstance();
  expect((await waitEnd(second.engine, runId)).phase).toBe("CANCELED");
  expect(second.tools.calls).toHaveLength(0);
});

test("an attempt that was lost under a hold is made again on release with the same number", async () => {
  await bed.register("one", [{ id: "a", type: "noop" }]);
  const first = await bed.openInstance();
  first.tools.hold("a");
  const { run } = await first.engine.startRun(CALLER, startOf("one"), 0);
  const { runId } = run.state;
  await eventually(() => expect(first.tools.calls).toHaveLength(1));
  await first.engine.pauseRun(CALLER, runId, "lunch");
  await first.crash();
  const second = await bed.openInstance();
  await eventually(async () => expect((await bed.stateOf(runId)).recoveries).toBe(1));
  expect(second.tools.calls).toHaveLength(0);
  await second.engine.resumeRun(CALLER, runId, [], "back");
  expect((await waitEnd(second.engine, runId)).phase).toBe("COMPLETED");
  expect(second.tools.calls.map((call) => call.attempt)).toEqual([1]);
});

test("a stop under load leaves clean shards, a whole journal and nothing behind", async () => {
  await bed.register("steps", [
    { id: "a", type: "noop" },
    { id: "b", type: "noop", depends_on: ["a"] },
    { id: "c", type: "noop", depends_on: ["b"] },
  ]);
  const first = await bed.openInstance();
  const starts = Array.from({ length: 300 }, () =>
    first.engine.startRun(CALLER, startOf("steps"), 0).then(
      (result) => result.run.state.runId,
      () => null,
    ),
  );
  await Promise.race(starts);
  await first.stop();
  const acknowledged = (await Promise.all(starts)).filter((id) => id !== null);
  const [row] = await bed.sql<{ unclean: number }>(
    "SELECT count(*) AS unclean FROM orchestrator.shard_leases WHERE NOT clean",
  );
  expect(row?.unclean).toBe(0);
  expect(first.lines.filter((line) => line.level === "error")).toEqual([]);
  const second = await bed.openInstance();
  await eventually(async () => {
    const [open] = await bed.sql<{ open: number }>(
      "SELECT count(*) AS open FROM orchestrator.runs WHERE ended_at IS NULL",
    );
    expect(open?.open).toBe(0);
  });
  expect(acknowledged.length).toBeGreaterThan(0);
  for (const runId of acknowledged) expect((await bed.stateOf(runId)).phase).toBe("COMPLETED");
  expect(second.lines.filter((line) => line.level === "error")).toEqual([]);
});

test("shards that an earlier process of the same name left are told as taken after a death", async () => {
  const told: unknown[] = [];
  await bed.openInstance({
    runtimeObserver: { ...NO_OBSERVER, taken: (clean, ownerlessMs) => told.push([clean, ownerlessMs]) },
    wrapLeases: (leases) => ({
      ...leases,
      acquire: async (wanted, options) => ({ ...(await leases.acquire(wanted, options)), taken: [] }),
      raise: async (shards) => (await leases.raise(shards)).map((lease) => ({ ...lease, ownerlessMs: 45_000 })),
    }),
  });
  expect(told).toEqual(Array.from({ length: SHARDS }, () => [false, 45_000]));
});
