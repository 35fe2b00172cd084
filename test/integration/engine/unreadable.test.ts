/** Runs that cannot be read cost themselves and nobody else. */
import { expect, test } from "vitest";
import { childRunId } from "../../../src/base/ids.ts";
import { createRunIndex } from "../../../src/store/run-index.ts";
import { eventually } from "../../support/eventually.ts";
import { takeAnyFlow } from "../../support/postgres.ts";
import { startOf } from "../../support/start-of.ts";
import { CALLER, createBed, type Instance } from "./bed.ts";

const bed = createBed();

const NEVER = new AbortController().signal;

const FOREIGN = { tenantId: "elsewhere", actor: "" };

const start = async (instance: Instance, flow: string): Promise<string> =>
  (await instance.engine.startRun(CALLER, startOf(flow), 0)).run.state.runId;

const headerOf = async (runId: string) =>
  (
    await bed.sql<{ state: string; moving: boolean; wake_at: number | null; ended_at: number | null }>(
      "SELECT state, moving, wake_at, ended_at FROM orchestrator.runs WHERE run_id = $1",
      [runId],
    )
  )[0];

const write = (runId: string, record: object, sequence: number) =>
  bed.sql(
    `INSERT INTO orchestrator.journal (run_day, run_id, sequence, record_count, written_at, records)
     SELECT run_day, run_id, $2::int, 1, now(), $3 FROM orchestrator.runs WHERE run_id = $1`,
    [runId, sequence, JSON.stringify([record])],
  );

// A run with a record that this build does not know was logged at every takeover and every look for timers, forever;
// Get and Terminate failed as bugs do.
test("a run with a record from the future is quarantined at the takeover; the others go on, and it can be terminated", async () => {
  await bed.register("one", [{ id: "a", type: "noop" }]);
  const first = await bed.openInstance();
  first.tools.hold("a");
  const [bad, good] = [await start(first, "one"), await start(first, "one")];
  await eventually(() => expect(first.tools.calls).toHaveLength(2));
  await first.crash();
  const { length } = await bed.recordsOf(bad);
  await write(bad, { type: "task.teleported", at: 1, task: "a" }, length + 1);
  const aside: string[] = [];
  const observers = [{ committed: () => {}, quarantined: (runId: string) => void aside.push(runId) }];
  const second = await bed.openInstance({ observers });
  await second.runtime.adopted;
  const { engine } = second;
  expect((await engine.waitRun(CALLER, good, 10_000, NEVER)).state.phase).toBe("COMPLETED");
  expect(await headerOf(bad)).toEqual({ state: "QUARANTINED", moving: false, wake_at: null, ended_at: null });
  expect(second.lines.filter((line) => line.level === "error")).toHaveLength(1);
  expect(aside).toEqual([bad]);
  await expect(engine.getRun(CALLER, bad)).rejects.toMatchObject({ code: "RUN_UNREADABLE" });
  await expect(engine.watchRun(CALLER, bad, null, NEVER)[Symbol.asyncIterator]().next()).rejects.toMatchObject({
    code: "RUN_UNREADABLE",
  });
  await expect(engine.getRun(FOREIGN, bad)).rejects.toMatchObject({ code: "RUN_NOT_FOUND" });
  await expect(engine.terminateRun(FOREIGN, bad, "")).rejects.toMatchObject({ code: "RUN_NOT_FOUND" });
  const listed = await createRunIndex(bed.database).listRuns(CALLER, null, null, 10);
  expect(listed.find((run) => run.runId === bad)?.state).toBe("QUARANTINED");
  const ended = await engine.terminateRun(CALLER, bad, "of no use");
  expect(ended.state).toMatchObject({ phase: "TERMINATED", flowId: "one", sequence: length + 2 });
  expect((await headerOf(bad))?.state).toBe("TERMINATED");
  expect((await bed.recordsOf(bad)).at(-1)).toMatchObject({ type: "run.terminated", reason: "of no use" });
  await expect(engine.terminateRun(CALLER, bad, "again")).rejects.toMatchObject({ code: "RUN_FINISHED" });
});

// The parent heard of it at the next takeover only.
test("the parent of a child that is terminated unread hears of it at once", async () => {
  await bed.register("child", [{ id: "s", type: "signal", parameters: { name: "s" } }]);
  await bed.register("parent", [{ id: "p", type: "subflow", parameters: { flow_id: "child" } }]);
  const instance = await bed.openInstance();
  const parent = await start(instance, "parent");
  const child = childRunId(parent, "p", 1);
  await eventually(async () => expect((await bed.stateOf(child)).tasks.get("s")?.state).toBe("WAITING"));
  instance.runs.residence.evictIdle(-60_000);
  await write(child, { type: "task.teleported", at: 1, task: "s" }, (await bed.recordsOf(child)).length + 1);
  expect((await instance.engine.terminateRun(CALLER, child, "of no use")).state.phase).toBe("TERMINATED");
  const { state } = await instance.engine.waitRun(CALLER, parent, 10_000, NEVER);
  expect(state).toMatchObject({ phase: "FAILED", error: { task: "p" } });
});

test("a run that was quarantined stays held when it can be read again, and goes on when it is released", async () => {
  await bed.register("one", [{ id: "a", type: "noop" }]);
  const first = await bed.openInstance();
  first.tools.hold("a");
  const runId = await start(first, "one");
  await eventually(() => expect(first.tools.calls).toHaveLength(1));
  await first.crash();
  const next = (await bed.recordsOf(runId)).length + 1;
  await write(runId, { type: "task.teleported", at: 1, task: "a" }, next);
  const second = await bed.openInstance();
  await second.runtime.adopted;
  await second.stop();
  await bed.sql("DELETE FROM orchestrator.journal WHERE run_id = $1 AND sequence = $2", [runId, next]);
  const third = await bed.openInstance();
  await third.runtime.adopted;
  expect((await headerOf(runId))?.state).toBe("QUARANTINED");
  await third.engine.resumeRun(CALLER, runId, ["quarantine"], "the new version is here");
  expect((await third.engine.waitRun(CALLER, runId, 10_000, NEVER)).state.phase).toBe("COMPLETED");
  expect(third.tools.calls.map((call) => call.attempt)).toEqual([1]);
});

// The look for timers asked for the oldest 5,000 rows only: that many which could not be opened hid all others, and
// each was in the log every 5 seconds.
test("due runs that cannot be opened are quarantined and hide nobody", async () => {
  await bed.register("gone", [{ id: "w", type: "wait", parameters: { duration: "1h" } }]);
  await bed.register("nap", [{ id: "w", type: "wait", parameters: { duration: "1h" } }]);
  const first = await bed.openInstance();
  const bad = await start(first, "gone");
  const good = await start(first, "nap");
  await first.stop();
  await bed.sql("DELETE FROM orchestrator.flow_versions WHERE flow_id = 'gone'");
  await takeAnyFlow(bed.database);
  await bed.sql(
    `INSERT INTO orchestrator.runs (run_id, shard, run_day, tenant_id, flow_id, version, flow_hash, state, moving, sequence, wake_at, user_id,
       correlation_id, run_key, parent_run_id, parent_task, created_at, updated_at)
     SELECT run_id || ':' || n, shard, run_day, tenant_id, flow_id, version, flow_hash, state, moving, sequence, wake_at, '', '', '', '', '', created_at, updated_at
     FROM orchestrator.runs, generate_series(1, 5100) n WHERE run_id = $1`,
    [bad],
  );
  await bed.sql(
    `INSERT INTO orchestrator.journal SELECT run_day, run_id || ':' || n, sequence, record_count, written_at, records
     FROM orchestrator.journal, generate_series(1, 5100) n WHERE run_id = $1`,
    [bad],
  );
  await bed.sql("UPDATE orchestrator.runs SET wake_at = clock_timestamp() - interval '1 min'");
  await bed.sql("UPDATE orchestrator.runs SET wake_at = clock_timestamp() WHERE run_id = $1", [good]);
  await bed.sql(
    `UPDATE orchestrator.journal SET records = regexp_replace(records, '"dueAt":\\d+', '"dueAt":' || (extract(epoch FROM clock_timestamp()) * 1000)::bigint)`,
  );
  const second = await bed.openInstance();
  await eventually(async () => expect((await bed.stateOf(good)).phase).toBe("COMPLETED"), { timeoutMs: 40_000 });
  await eventually(async () =>
    expect(
      await bed.sql("SELECT state, count(*) AS count FROM orchestrator.runs GROUP BY state ORDER BY state"),
    ).toEqual([
      { state: "COMPLETED", count: 1 },
      { state: "QUARANTINED", count: 5_101 },
    ]),
  );
  const lines = second.lines.filter((line) => line.level === "error").length;
  expect(lines).toBe(5_101);
  await second.runs.residence.wakeDue();
  expect(second.lines.filter((line) => line.level === "error")).toHaveLength(lines);
});
