/** The database is away: callers are notified, nothing is half-written, and everything goes on when it is back. */
import { expect, test } from "vitest";
import { eventually } from "../../support/eventually.ts";
import { startOf } from "../../support/start-of.ts";
import { CALLER, createBed } from "./bed.ts";

const bed = createBed();

const NEVER = new AbortController().signal;

test("starts and signals during an outage are refused; what was under way ends when the store is back", async () => {
  await bed.register("steps", [
    { id: "a", type: "noop" },
    { id: "b", type: "noop", depends_on: ["a"] },
    { id: "go", type: "signal", depends_on: ["b"], parameters: { name: "go" } },
  ]);
  const instance = await bed.openInstance();
  const release = instance.tools.hold("a");
  const { run } = await instance.engine.startRun(CALLER, startOf("steps"), 0);
  const { runId } = run.state;
  await eventually(() => expect(instance.tools.calls).toHaveLength(1));
  instance.journal.down = true;
  const refused = instance.engine.startRun(CALLER, startOf("steps", { requestId: "r" }), 0);
  await expect(refused).rejects.toMatchObject({ code: "STORE_UNAVAILABLE", retry: "request_id" });
  const signal = instance.engine.signalRun(CALLER, runId, "go", 1, { id: "s", hash: "" });
  await expect(signal).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
  release();
  expect(await bed.sql("SELECT 1 FROM orchestrator.runs")).toHaveLength(1);
  expect((await bed.stateOf(runId)).signals).toEqual([]);
  instance.journal.down = false;
  // The caller was told that it may send the signal again: the same request id is the same signal.
  await eventually(() => instance.engine.signalRun(CALLER, runId, "go", 1, { id: "s", hash: "" }));
  const view = await instance.engine.waitRun(CALLER, runId, 10_000, NEVER);
  expect(view.state.phase).toBe("COMPLETED");
  const received = (await bed.recordsOf(runId)).filter((record) => record.type === "signal.received");
  expect(received).toHaveLength(1);
  const again = await instance.engine.startRun(CALLER, startOf("steps", { requestId: "r" }), 0);
  expect(again.started).toBe(true);
});

test("waiting for the store costs no processor", async () => {
  // A second pause changes nothing, so it waits for the commit that is under way.
  await bed.register("gate", [{ id: "a", type: "signal", parameters: { name: "a" } }]);
  const instance = await bed.openInstance();
  const { run } = await instance.engine.startRun(CALLER, startOf("gate"), 0);
  const { runId } = run.state;
  let open = (): void => {};
  const opened = new Promise<void>((resolve) => (open = resolve));
  instance.journal.onCommit({ before: () => opened });
  const first = instance.engine.pauseRun(CALLER, runId, "one");
  await eventually(() => expect(instance.runs.residence.residents.get(runId)?.committing).toBe(true));
  let answered = false;
  const second = instance.engine.pauseRun(CALLER, runId, "two").then((view) => {
    answered = true;
    return view;
  });
  // A loop that waits by turning is never idle.
  const before = performance.eventLoopUtilization();
  await eventually(() => expect(performance.eventLoopUtilization(before).idle).toBeGreaterThan(100));
  expect(answered).toBe(false);
  open();
  await first;
  expect((await second).state.holds).toMatchObject([{ why: "one" }]);
});

test("a stop while the store is away ends", async () => {
  await bed.register("gate", [{ id: "a", type: "signal", parameters: { name: "a" } }]);
  const instance = await bed.openInstance();
  const { run } = await instance.engine.startRun(CALLER, startOf("gate"), 0);
  instance.journal.down = true;
  const signal = instance.engine.signalRun(CALLER, run.state.runId, "a", 1);
  await expect(signal).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
  await instance.stop();
  expect((await bed.stateOf(run.state.runId)).phase).toBe("RUNNING");
});
