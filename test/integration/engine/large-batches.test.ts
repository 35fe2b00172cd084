/** Batches that are too much for the store at once. */
import { expect, test } from "vitest";
import { CommitError } from "../../../src/engine/journal.ts";
import { eventually } from "../../support/eventually.ts";
import { CALLER, createBed, startOf } from "./bed.ts";

const bed = createBed();

const idOf = (
  result: Awaited<ReturnType<Awaited<ReturnType<typeof bed.openInstance>>["engine"]["startRuns"]>>[number],
) => {
  if (result instanceof Error) throw result;
  return result.run.state.runId;
};

test("a batch has a largest size, whatever the number of its moves", async () => {
  await bed.register("wait", [{ id: "s", type: "signal", parameters: { name: "s" } }]);
  const instance = await bed.openInstance({ lanes: 1 });
  const starts = Array.from({ length: 20 }, () => startOf("wait"));
  const ids = (await instance.engine.startRuns(CALLER, starts, 0)).map(idOf);
  const before = instance.journal.batches.length;
  const text = "x".repeat(2_000_000);
  await Promise.all(ids.map((runId) => instance.engine.signalRun(CALLER, runId, "s", text)));
  const batches = instance.journal.batches.slice(before);
  expect(batches.length).toBeGreaterThan(2);
  for (const batch of batches)
    expect(batch.reduce((size, move) => size + move.json.length, 0)).toBeLessThan(30_000_000);
  expect(await bed.sql("SELECT 1 FROM orchestrator.runs WHERE state = 'COMPLETED'")).toHaveLength(20);
});

// The same batch was tried again and again, with everybody on the lane behind it.
test("a batch that the store has no time for is tried again in halves", async () => {
  await bed.register("wait", [{ id: "s", type: "signal", parameters: { name: "s" } }]);
  const instance = await bed.openInstance({ lanes: 1 });
  const starts = Array.from({ length: 16 }, () => startOf("wait"));
  const ids = (await instance.engine.startRuns(CALLER, starts, 0)).map(idOf);
  const tooMuch = () => {
    throw new CommitError("slow", new Error("statement timeout"));
  };
  for (let times = 0; times < 20; times += 1)
    instance.journal.onCommit({ before: tooMuch }, (moves) => moves.length > 4);
  const answers = await Promise.allSettled(ids.map((runId) => instance.engine.signalRun(CALLER, runId, "s", 1)));
  // Whoever waited was told; what they sent was not lost.
  for (const answer of answers)
    if (answer.status === "rejected") expect(answer.reason).toMatchObject({ code: "STORE_UNAVAILABLE" });
  for (const runId of ids) {
    const wait = () => instance.engine.waitRun(CALLER, runId, 10_000, new AbortController().signal);
    const { state } = await eventually(wait);
    expect(state).toMatchObject({ phase: "COMPLETED", output: { s: 1 } });
  }
  expect(Math.max(...instance.journal.batches.slice(-4).map((batch) => batch.length))).toBeLessThanOrEqual(4);
});

test("a large move that the store never has the time for is put into quarantine, alone", async () => {
  await bed.register("wait", [{ id: "s", type: "signal", parameters: { name: "s" } }]);
  const instance = await bed.openInstance({ lanes: 1 });
  const [large = "", small = ""] = (await instance.engine.startRuns(CALLER, [startOf("wait"), startOf("wait")], 0)).map(
    idOf,
  );
  const tooMuch = () => {
    throw new CommitError("slow", new Error("statement timeout"));
  };
  for (let times = 0; times < 20; times += 1)
    instance.journal.onCommit({ before: tooMuch }, (moves) => moves.some((move) => move.json.length > 1_500_000));
  await Promise.allSettled([
    instance.engine.signalRun(CALLER, large, "s", "x".repeat(2_000_000)),
    instance.engine.signalRun(CALLER, small, "s", 1),
  ]);
  await eventually(async () => {
    expect((await instance.engine.getRun(CALLER, small)).state.phase).toBe("COMPLETED");
    expect((await instance.engine.getRun(CALLER, large)).state.holds).toMatchObject([{ kind: "quarantine" }]);
  });
});
