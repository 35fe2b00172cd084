/** A commit whose answer never comes: it landed, or it did not, and nobody may be told the wrong thing. */
import { expect, test } from "vitest";
import { childRunId } from "../../../src/base/ids.ts";
import { CommitError, type Transition } from "../../../src/engine/ports/journal.ts";
import { eventually } from "../../support/eventually.ts";
import { startOf } from "../../support/start-of.ts";
import { CALLER, createBed, type Instance } from "./bed.ts";

const bed = createBed();

const NEVER = new AbortController().signal;

function lose(): never {
  throw new CommitError("unknown", new Error("planted: the answer was lost"));
}

/** The next commit that `when` accepts is written or not, and its answer is lost. */
function loseAnswer(
  instance: Instance,
  written: boolean,
  when?: (transitions: readonly Transition[]) => boolean,
): void {
  instance.journal.onCommit(written ? { after: lose } : { before: lose }, when);
}

const holds =
  (type: string) =>
  (transitions: readonly Transition[]): boolean =>
    transitions.some((transition) => transition.records.some((record) => record.type === type));

test("in a database that was restored, a batch is found by the sequences of its records", async () => {
  await bed.sql("INSERT INTO orchestrator.settings (name, value) VALUES ('sequence_base', '1000000')");
  await bed.register("steps", [
    { id: "a", type: "noop", parameters: { output: 1 } },
    { id: "b", type: "noop", depends_on: ["a"] },
  ]);
  const instance = await bed.openInstance();
  for (const written of [true, false])
    for (const type of ["run.started", "task.completed"]) {
      loseAnswer(instance, written, holds(type));
      const { run, started } = await instance.engine.startRun(CALLER, startOf("steps"), 10_000);
      expect(started).toBe(true);
      expect(run.state).toMatchObject({ phase: "COMPLETED", sequence: 1_000_006 });
    }
  expect(instance.tools.calls).toHaveLength(8);
});

for (const written of [true, false]) {
  const which = written ? "landed" : "did not land";

  test(`a start in a batch that ${which} is answered once, made once, and goes on`, async () => {
    await bed.register("one", [{ id: "a", type: "noop", parameters: { output: 1 } }]);
    const instance = await bed.openInstance();
    loseAnswer(instance, written, holds("run.started"));
    const { run, started } = await instance.engine.startRun(CALLER, startOf("one", { requestId: "r" }), 10_000);
    expect(started).toBe(true);
    expect(run.state.phase).toBe("COMPLETED");
    expect(await bed.sql("SELECT 1 FROM orchestrator.runs")).toHaveLength(1);
    expect(instance.tools.calls).toHaveLength(1);
  });

  test(`a result in a batch that ${which} is recorded once and what follows it happens once`, async () => {
    await bed.register("steps", [
      { id: "a", type: "noop", parameters: { output: 1 } },
      { id: "b", type: "noop", depends_on: ["a"] },
      { id: "c", type: "emit", depends_on: ["b"], parameters: { topic: "t", payload: 1 } },
    ]);
    const instance = await bed.openInstance();
    loseAnswer(instance, written, holds("task.completed"));
    const { run } = await instance.engine.startRun(CALLER, startOf("steps"), 10_000);
    expect(run.state.phase).toBe("COMPLETED");
    expect(instance.tools.calls.map((call) => call.path)).toEqual(["a", "b"]);
    const records = await bed.recordsOf(run.state.runId);
    const ends = records.flatMap((record) => (record.type === "task.completed" ? [record.task] : []));
    expect(ends).toEqual(["a", "b", "c"]);
    expect(await bed.sql("SELECT 1 FROM orchestrator.outbox")).toHaveLength(1);
  });

  test(`the end of a run in a batch that ${which} wakes those who wait for it`, async () => {
    await bed.register("one", [{ id: "a", type: "noop" }]);
    const instance = await bed.openInstance();
    loseAnswer(instance, written, holds("run.completed"));
    const { run } = await instance.engine.startRun(CALLER, startOf("one"), 10_000);
    expect(run.state.phase).toBe("COMPLETED");
  });

  test(`events that arrive while nobody knows are taken in afterwards, in order (batch that ${which})`, async () => {
    await bed.register("gate", [{ id: "last", type: "signal", parameters: { name: "last" } }]);
    const instance = await bed.openInstance();
    const { run } = await instance.engine.startRun(CALLER, startOf("gate"), 0);
    const { runId } = run.state;
    let open = (): void => {};
    const opened = new Promise<void>((resolve) => (open = resolve));
    const loseLater = (): Promise<void> => opened.then(lose);
    instance.journal.onCommit(written ? { after: loseLater } : { before: loseLater });
    const signals = ["one"].map((name) => instance.engine.signalRun(CALLER, runId, name, name));
    await eventually(() => expect(instance.runs.residence.residents.get(runId)?.committing).toBe(true));
    for (const name of ["two", "three"]) signals.push(instance.engine.signalRun(CALLER, runId, name, name));
    open();
    await Promise.all(signals);
    expect((await bed.stateOf(runId)).signals.map((signal) => signal.name)).toEqual(["one", "two", "three"]);
  });

  test(`children begin and end once when their batch ${which}`, async () => {
    await bed.register("child", [{ id: "c", type: "noop", parameters: { output: 7 } }]);
    await bed.register("parent", [{ id: "p", type: "subflow", parameters: { flow_id: "child" } }]);
    const instance = await bed.openInstance();
    loseAnswer(instance, written, holds("task.waiting"));
    loseAnswer(instance, written, (transitions) =>
      transitions.some((transition) => transition.start !== null && transition.runId.includes("~")),
    );
    loseAnswer(instance, written, (transitions) =>
      transitions.some((transition) => transition.runId.includes("~") && holds("run.completed")([transition])),
    );
    const { run } = await instance.engine.startRun(CALLER, startOf("parent"), 10_000);
    expect(run.state).toMatchObject({ phase: "COMPLETED", output: { p: { c: 7 } } });
    expect(instance.tools.calls).toHaveLength(1);
    expect(await bed.sql("SELECT 1 FROM orchestrator.runs")).toHaveLength(2);
  });
}

test("a start whose run id was taken before is not mistaken for the one in the lost batch", async () => {
  await bed.register("gate", [{ id: "a", type: "signal", parameters: { name: "a" } }]);
  const instance = await bed.openInstance();
  await instance.engine.startRun(CALLER, startOf("gate", { runId: "mine", userId: "first" }), 0);
  // Out of memory, so that the collision shows in the store alone.
  for (const resident of [...instance.runs.residence.residents.values()]) instance.runs.residence.drop(resident);
  loseAnswer(instance, true, holds("run.started"));
  const second = instance.engine.startRun(CALLER, startOf("gate", { runId: "mine", userId: "second" }), 0);
  await expect(second).rejects.toMatchObject({ code: "RUN_ALREADY_EXISTS" });
  expect((await bed.stateOf("mine")).facts.userId).toBe("first");
});

test("answers that are lost again and again delay a batch and change nothing", async () => {
  await bed.register("one", [{ id: "a", type: "noop" }]);
  const instance = await bed.openInstance();
  for (let count = 0; count < 12; count += 1) loseAnswer(instance, count % 2 === 0);
  const results = await instance.engine.startRuns(
    CALLER,
    Array.from({ length: 50 }, (_, index) => startOf("one", { requestId: `r${index}` })),
    10_000,
  );
  expect(results.map((result) => (result instanceof Error ? result.message : result.run.state.phase))).toEqual(
    Array.from({ length: 50 }, () => "COMPLETED"),
  );
  expect(await bed.sql("SELECT 1 FROM orchestrator.runs")).toHaveLength(50);
  expect(instance.tools.calls).toHaveLength(50);
});

test("shards that are lost while nobody knows leave with their runs, and the callers are told", async () => {
  await bed.register("gate", [{ id: "a", type: "signal", parameters: { name: "a" } }]);
  const instance = await bed.openInstance();
  const { run } = await instance.engine.startRun(CALLER, startOf("gate"), 0);
  instance.journal.onCommit({
    before: async () => {
      await bed.sql("UPDATE orchestrator.shard_leases SET epoch = epoch + 1, instance_id = 'somebody else'");
      lose();
    },
  });
  const signal = instance.engine.signalRun(CALLER, run.state.runId, "a", null);
  await expect(signal).rejects.toMatchObject({ code: "RUN_MOVED" });
  expect(instance.runs.residence.residents.size).toBe(0);
  expect((await bed.stateOf(run.state.runId)).phase).toBe("RUNNING");
});

test("a run whose journal cannot be read back leaves memory and holds nobody else up", async () => {
  await bed.register("gate", [{ id: "a", type: "signal", parameters: { name: "a" } }]);
  const instance = await bed.openInstance({ commitConnections: 1 });
  const bad = (await instance.engine.startRun(CALLER, startOf("gate"), 0)).run.state.runId;
  const good = (await instance.engine.startRun(CALLER, startOf("gate"), 0)).run.state.runId;
  instance.journal.onCommit({
    before: async () => {
      await bed.sql(
        'UPDATE orchestrator.journal SET records = \'[{"type":"from.the.future","at":1}]\' WHERE run_id = $1',
        [bad],
      );
      lose();
    },
  });
  const signals = [bad, good].map((runId) => instance.engine.signalRun(CALLER, runId, "a", 1));
  const [first, second] = await Promise.allSettled(signals);
  expect(first?.status).toBe("rejected");
  expect(second?.status).toBe("fulfilled");
  expect((await instance.engine.waitRun(CALLER, good, 10_000, NEVER)).state.phase).toBe("COMPLETED");
});

// What follows a commit may move the run at once. In a batch that turned out to have landed that move was in memory and
// never in the journal.
test("what follows at once from a batch that landed is written", async () => {
  await bed.register("child", [{ id: "s", type: "signal", parameters: { name: "s" } }]);
  await bed.register("parent", [
    { id: "p", type: "subflow", parameters: { flow_id: "child", close_policy: "abandon" } },
  ]);
  const instance = await bed.openInstance();
  const { run } = await instance.engine.startRun(CALLER, startOf("parent"), 0);
  const { runId } = run.state;
  await eventually(async () =>
    expect((await bed.stateOf(childRunId(runId, "p", 1))).tasks.get("s")?.state).toBe("WAITING"),
  );
  loseAnswer(instance, true, holds("run.ending"));
  await instance.engine.cancelRun(CALLER, runId, "", false);
  expect((await instance.engine.waitRun(CALLER, runId, 5_000, NEVER)).state.phase).toBe("CANCELED");
  const [row] = await bed.sql<{ sequence: number }>("SELECT sequence FROM orchestrator.runs WHERE run_id = $1", [
    runId,
  ]);
  const { phase, sequence, tasks } = await bed.stateOf(runId);
  expect({ phase, sequence, task: tasks.get("p")?.state }).toEqual({ phase: "CANCELED", ...row, task: "CANCELED" });
});
