/** Batches that are too much for the store at once. */
import { expect, test } from "vitest";
import { CommitError } from "../../../src/engine/ports/journal.ts";
import { eventually } from "../../support/eventually.ts";
import { startOf } from "../../support/start-of.ts";
import { CALLER, createBed } from "./bed.ts";

const bed = createBed();

const idOf = (
  result: Awaited<ReturnType<Awaited<ReturnType<typeof bed.openInstance>>["engine"]["startRuns"]>>[number],
) => {
  if (result instanceof Error) throw result;
  return result.run.state.runId;
};

test("a batch has a largest size, whatever the number of its transitions", async () => {
  await bed.register("wait", [{ id: "s", type: "signal", parameters: { name: "s" } }]);
  const instance = await bed.openInstance({ commitConnections: 1 });
  const starts = Array.from({ length: 20 }, () => startOf("wait"));
  const ids = (await instance.engine.startRuns(CALLER, starts, 0)).map(idOf);
  const before = instance.journal.batches.length;
  const text = "x".repeat(2_000_000);
  await Promise.all(ids.map((runId) => instance.engine.signalRun(CALLER, runId, "s", text)));
  const batches = instance.journal.batches.slice(before);
  expect(batches.length).toBeGreaterThan(2);
  for (const batch of batches)
    expect(batch.reduce((size, transition) => size + transition.json.length, 0)).toBeLessThan(30_000_000);
  expect(await bed.sql("SELECT 1 FROM orchestrator.runs WHERE state = 'COMPLETED'")).toHaveLength(20);
});

// Fifty results of 4 MB that came together were one transition of 200 MB.
test("a transition has a largest size, whatever comes together for one run, and all of it counts in its order", async () => {
  const ids = Array.from({ length: 12 }, (_, index) => `t${index}`);
  await bed.register("wide", {
    workflow: {
      tasks: [
        ...ids.map((id) => ({ id, type: "noop" })),
        { id: "last", type: "signal", depends_on: ids, parameters: { name: "end" } },
      ],
      output: "${last.output}",
    },
  });
  const instance = await bed.openInstance();
  const answer = ids.map((id) => instance.tools.hold(id));
  const { run } = await instance.engine.startRun(CALLER, startOf("wide"), 0);
  const { runId } = run.state;
  await eventually(() => expect(instance.tools.calls).toHaveLength(ids.length));
  const before = instance.journal.batches.length;
  const text = "x".repeat(3_900_000);
  for (const give of answer) give({ ok: true, output: text });
  // Callers that ask meanwhile are answered when what they asked for is durable.
  const signals = [1, 2, 3].map(async (n) => {
    await instance.engine.signalRun(CALLER, runId, "s", n);
    return (await bed.stateOf(runId)).signalCount >= n;
  });
  expect(await Promise.all(signals)).toEqual([true, true, true]);
  await instance.engine.signalRun(CALLER, runId, "end", 1);
  const end = await instance.engine.waitRun(CALLER, runId, 20_000, new AbortController().signal);
  expect(end.state).toMatchObject({ phase: "COMPLETED", output: 1 });
  expect((await bed.stateOf(runId)).signals.map(({ payload }) => payload)).toEqual([1, 2, 3]);
  const sizes = instance.journal.batches
    .slice(before)
    .flatMap((transitions) => transitions.map((transition) => transition.json.length));
  expect(Math.max(...sizes)).toBeLessThan(13_000_000);
  expect(sizes.length).toBeGreaterThan(3);
});

test("what waits behind a full transition is not lost when nobody knows whether that was written, and a terminate ends it", async () => {
  await bed.register("wait", [{ id: "s", type: "signal", parameters: { name: "none" } }]);
  for (const written of [true, false]) {
    const instance = await bed.openInstance();
    const { run } = await instance.engine.startRun(CALLER, startOf("wait"), 0);
    const { runId } = run.state;
    const lose = () => {
      throw new CommitError("unknown", new Error("planted: the answer was lost"));
    };
    instance.journal.onCommit(written ? { after: lose } : { before: lose });
    const text = "x".repeat(3_900_000);
    const send = (n: number) => instance.engine.signalRun(CALLER, runId, "s", { n, text });
    await Promise.all([1, 2, 3, 4, 5].map(send));
    const { signals } = await bed.stateOf(runId);
    expect(signals.map(({ payload }) => (payload as { n: number }).n)).toEqual([1, 2, 3, 4, 5]);
    const last = [6, 7, 8].map(send);
    const ended = await instance.engine.terminateRun(CALLER, runId, "enough");
    expect(ended.state.phase).toBe("TERMINATED");
    await Promise.all(last);
    const rows = await bed.sql<{ sequence: number; record_count: number }>(
      "SELECT sequence, record_count FROM orchestrator.journal WHERE run_id = $1 ORDER BY sequence",
      [runId],
    );
    let next = 1;
    for (const row of rows) {
      expect(row.sequence).toBe(next);
      next += row.record_count;
    }
    await instance.stop();
  }
});

// The same batch was tried again and again, with everything in the pipeline behind it.
test("a batch that the store has no time for is tried again in halves", async () => {
  await bed.register("wait", [{ id: "s", type: "signal", parameters: { name: "s" } }]);
  const instance = await bed.openInstance({ commitConnections: 1 });
  const starts = Array.from({ length: 16 }, () => startOf("wait"));
  const ids = (await instance.engine.startRuns(CALLER, starts, 0)).map(idOf);
  const tooMuch = () => {
    throw new CommitError("slow", new Error("statement timeout"));
  };
  for (let times = 0; times < 20; times += 1)
    instance.journal.onCommit({ before: tooMuch }, (transitions) => transitions.length > 4);
  const answers = await Promise.allSettled(ids.map((runId) => instance.engine.signalRun(CALLER, runId, "s", 1)));
  // All who waited were notified; what they sent was not lost.
  for (const answer of answers)
    if (answer.status === "rejected") expect(answer.reason).toMatchObject({ code: "STORE_UNAVAILABLE" });
  for (const runId of ids) {
    const wait = () => instance.engine.waitRun(CALLER, runId, 10_000, new AbortController().signal);
    const { state } = await eventually(wait);
    expect(state).toMatchObject({ phase: "COMPLETED", output: { s: 1 } });
  }
  expect(Math.max(...instance.journal.batches.slice(-4).map((batch) => batch.length))).toBeLessThanOrEqual(4);
});

test("a large transition that the store never has the time for is put into quarantine, alone", async () => {
  await bed.register("wait", [{ id: "s", type: "signal", parameters: { name: "s" } }]);
  const instance = await bed.openInstance({ commitConnections: 1 });
  const [large = "", small = ""] = (await instance.engine.startRuns(CALLER, [startOf("wait"), startOf("wait")], 0)).map(
    idOf,
  );
  const tooMuch = () => {
    throw new CommitError("slow", new Error("statement timeout"));
  };
  for (let times = 0; times < 20; times += 1)
    instance.journal.onCommit({ before: tooMuch }, (transitions) =>
      transitions.some((transition) => transition.json.length > 1_500_000),
    );
  await Promise.allSettled([
    instance.engine.signalRun(CALLER, large, "s", "x".repeat(2_000_000)),
    instance.engine.signalRun(CALLER, small, "s", 1),
  ]);
  await eventually(async () => {
    expect((await instance.engine.getRun(CALLER, small)).state.phase).toBe("COMPLETED");
    expect((await instance.engine.getRun(CALLER, large)).state.holds).toMatchObject([{ kind: "quarantine" }]);
  });
});
