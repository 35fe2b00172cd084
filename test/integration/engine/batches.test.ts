/** What goes into one statement. */
import { expect, test } from "vitest";
import { eventually } from "../../support/eventually.ts";
import { startOf } from "../../support/start-of.ts";
import { CALLER, createBed } from "./bed.ts";

const bed = createBed();

test("a run that ends as it starts is one transition, with its header as it ended", async () => {
  await bed.register("pure", [
    { id: "a", type: "transform", parameters: { output: 1 } },
    { id: "b", type: "transform", depends_on: ["a"], parameters: { output: "${a.output + 1}" } },
  ]);
  const instance = await bed.openInstance();
  const { run } = await instance.engine.startRun(CALLER, startOf("pure", { requestId: "r" }), 5_000);
  expect(run.state).toMatchObject({ phase: "COMPLETED", output: { b: 2 } });
  expect(instance.journal.batches).toHaveLength(1);
  const rows = await bed.sql("SELECT sequence, record_count FROM orchestrator.journal");
  expect(rows).toEqual([{ sequence: 1, record_count: run.state.sequence }]);
  const headers = await bed.sql(
    "SELECT state, sequence, ended_at IS NOT NULL AS ended, wake_at FROM orchestrator.runs",
  );
  expect(headers).toEqual([{ state: "COMPLETED", sequence: run.state.sequence, ended: true, wake_at: null }]);
});

test("a batch never holds two transitions of one run: what happens meanwhile is one transition of the next", async () => {
  await bed.register("gate", [{ id: "a", type: "signal", parameters: { name: "last" } }]);
  const instance = await bed.openInstance({ commitConnections: 1 });
  const results = await instance.engine.startRuns(
    CALLER,
    Array.from({ length: 10 }, () => startOf("gate")),
    0,
  );
  const ids = results.map((result) => (result instanceof Error ? "" : result.run.state.runId));
  const before = instance.journal.batches.length;
  let open = (): void => {};
  const opened = new Promise<void>((resolve) => (open = resolve));
  instance.journal.onCommit({ before: () => opened });
  const names = Array.from({ length: 30 }, (_, index) => `n${index}`);
  const signal = (runId: string, name: string) => instance.engine.signalRun(CALLER, runId, name, null);
  const signals = ids.map((runId) => signal(runId, "n0"));
  await eventually(() => expect(instance.runs.residence.residents.get(ids[9] ?? "")?.committing).toBe(true));
  for (const name of names.slice(1)) for (const runId of ids) signals.push(signal(runId, name));
  open();
  await Promise.all(signals);
  const batches = instance.journal.batches.slice(before);
  expect(batches.length).toBeLessThan(10);
  for (const batch of batches) expect(new Set(batch.map((transition) => transition.runId)).size).toBe(batch.length);
  for (const runId of ids) expect((await bed.stateOf(runId)).signals.map((one) => one.name)).toEqual(names);
});

test("runs that go on at once join the next batch: two groups that began apart transition together", async () => {
  await bed.register("steps", [
    { id: "a", type: "noop" },
    { id: "b", type: "noop", depends_on: ["a"] },
    { id: "c", type: "noop", depends_on: ["b"] },
  ]);
  const instance = await bed.openInstance({ commitConnections: 1 });
  let open = (): void => {};
  const opened = new Promise<void>((resolve) => (open = resolve));
  instance.journal.onCommit({ before: () => opened });
  const startTen = () =>
    instance.engine.startRuns(
      CALLER,
      Array.from({ length: 10 }, () => startOf("steps")),
      5_000,
    );
  const first = startTen();
  await eventually(() =>
    expect([...instance.runs.residence.residents.values()].filter((resident) => resident.committing)).toHaveLength(10),
  );
  const second = startTen();
  await eventually(() => expect(instance.runs.residence.residents.size).toBe(20));
  open();
  for (const result of [...(await first), ...(await second)]) expect(result).not.toBeInstanceOf(Error);
  expect(instance.journal.batches.map((batch) => batch.length)).toEqual([10, 20, 20, 20, 10]);
});

test("who waits for a batch is told while the store is busy with the next, however long it takes", async () => {
  await bed.register("two", [{ id: "a", type: "noop" }]);
  const instance = await bed.openInstance({ commitConnections: 1 });
  let open = (): void => {};
  const opened = new Promise<void>((resolve) => (open = resolve));
  instance.journal.onCommit({ before: () => opened }, (transitions) =>
    transitions.some((transition) => transition.start === null),
  );
  const { run } = await instance.engine.startRun(CALLER, startOf("two"), 0);
  const { runId } = run.state;
  await eventually(() => expect(instance.runs.residence.residents.get(runId)?.committing).toBe(true));
  expect((await bed.stateOf(runId)).phase).toBe("RUNNING");
  open();
  const ended = await instance.engine.waitRun(CALLER, runId, 5_000, new AbortController().signal);
  expect(ended.state.phase).toBe("COMPLETED");
});

test("rows of lists are in the commit of the transition that made them", async () => {
  await bed.register("all", [
    { id: "say", type: "emit", parameters: { topic: "t", payload: { n: 1 } } },
    { id: "ok", type: "approval", depends_on: ["say"], parameters: { title: "Pay?" } },
    { id: "bad", type: "noop", depends_on: ["ok"], retry_policy: { max_retries: 0 } },
  ]);
  const instance = await bed.openInstance();
  instance.tools.answer("bad", () => ({ ok: false, error: { type: "BUSY", message: "always", retryable: true } }));
  const { run } = await instance.engine.startRun(CALLER, startOf("all"), 0);
  const { runId } = run.state;
  expect(await bed.sql("SELECT topic, payload::json AS payload FROM orchestrator.outbox")).toEqual([
    { topic: "t", payload: { payload: { n: 1 }, headers: {} } },
  ]);
  expect(await bed.sql("SELECT state, decided_by FROM orchestrator.approvals")).toEqual([
    { state: "PENDING", decided_by: "" },
  ]);
  await instance.engine.decideApproval(CALLER, runId, await bed.openApprovalOf(runId), {
    approved: true,
    comment: "yes",
    data: { a: 1 },
  });
  expect(await bed.sql("SELECT state, decided_by, comment, data::json AS data FROM orchestrator.approvals")).toEqual([
    { state: "APPROVED", decided_by: "tester", comment: "yes", data: { a: 1 } },
  ]);
  await instance.engine.waitRun(CALLER, runId, 5_000, new AbortController().signal);
  const letters = await bed.sql("SELECT task_path, attempts, error_type, reason FROM orchestrator.dead_letters");
  expect(letters).toEqual([{ task_path: "bad", attempts: 1, error_type: "BUSY", reason: "ATTEMPTS_EXHAUSTED" }]);
});

test("the header says what the journal says, after every kind of ending", async () => {
  await bed.register("mix", [
    { id: "a", type: "noop" },
    { id: "w", type: "wait", depends_on: ["a"], parameters: { duration: "1h" } },
  ]);
  const instance = await bed.openInstance();
  const start = async () => (await instance.engine.startRun(CALLER, startOf("mix"), 0)).run.state.runId;
  const [waiting, paused, canceled, terminated] = [await start(), await start(), await start(), await start()];
  for (const runId of [waiting, paused, canceled, terminated])
    await eventually(async () => expect((await bed.stateOf(runId)).tasks.get("w")?.state).toBe("WAITING"));
  await instance.engine.pauseRun(CALLER, paused, "");
  await instance.engine.cancelRun(CALLER, canceled, "", false);
  await instance.engine.terminateRun(CALLER, terminated, "");
  const headerOf = async (runId: string) =>
    (
      await bed.sql<{ state: string; moving: boolean; wake_at: number | null; ended_at: number | null }>(
        "SELECT state, moving, wake_at, ended_at FROM orchestrator.runs WHERE run_id = $1",
        [runId],
      )
    )[0];
  const wakeAt = (await bed.stateOf(waiting)).timers.get("w");
  expect(await headerOf(waiting)).toEqual({ state: "WAITING", moving: false, wake_at: wakeAt, ended_at: null });
  expect(await headerOf(paused)).toMatchObject({ state: "PAUSED", moving: false });
  for (const [runId, state] of [
    [canceled, "CANCELED"],
    [terminated, "TERMINATED"],
  ] as const) {
    const { endedAt } = await bed.stateOf(runId);
    expect(await headerOf(runId)).toEqual({ state, moving: false, wake_at: null, ended_at: endedAt });
  }
});
