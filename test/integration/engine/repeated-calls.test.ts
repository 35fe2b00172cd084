/** Calls that are sent again with their request id: they are answered as the first time and change nothing. */
import { expect, test } from "vitest";
import type { RequestKey } from "../../../src/engine/machine/events.ts";
import { eventually } from "../../support/eventually.ts";
import { startOf } from "../../support/start-of.ts";
import { CALLER, createBed, type Instance } from "./bed.ts";

const bed = createBed();

const key = (id: string, hash = "h"): RequestKey => ({ id, hash });

async function openGate(): Promise<{ instance: Instance; runId: string }> {
  await bed.register("gate", [{ id: "go", type: "signal", parameters: { name: "go" } }]);
  const instance = await bed.openInstance();
  const { run } = await instance.engine.startRun(CALLER, startOf("gate"), 0);
  return { instance, runId: run.state.runId };
}

const holdsOf = async (runId: string) => (await bed.stateOf(runId)).holds.map((hold) => hold.kind);

// Cause: PauseRun and ResumeRun took a request id and ignored it, so that a repeated pause undid the resume after it.
test("a pause that comes again after the resume does not pause again", async () => {
  const { instance, runId } = await openGate();
  const { engine } = instance;
  await engine.pauseRun(CALLER, runId, "look", key("pa"));
  await engine.resumeRun(CALLER, runId, [], "go on", key("rb"));
  const again = await engine.pauseRun(CALLER, runId, "look", key("pa"));
  expect(again.state.holds).toEqual([]);
  expect(await holdsOf(runId)).toEqual([]);
  // Not in memory any more: the journal remembers it.
  for (const resident of [...instance.runs.residence.residents.values()]) instance.runs.residence.drop(resident);
  await engine.pauseRun(CALLER, runId, "look", key("pa"));
  expect(await holdsOf(runId)).toEqual([]);
  await engine.pauseRun(CALLER, runId, "look", key("another"));
  expect(await holdsOf(runId)).toEqual(["operator"]);
});

test("a pause of a run that is paused already is remembered all the same", async () => {
  const { instance, runId } = await openGate();
  const { engine } = instance;
  await engine.pauseRun(CALLER, runId, "first");
  await engine.pauseRun(CALLER, runId, "second", key("pa"));
  await engine.resumeRun(CALLER, runId, [], "");
  await engine.pauseRun(CALLER, runId, "second", key("pa"));
  expect(await holdsOf(runId)).toEqual([]);
});

test("the same call many times at once is applied once, whether signal, pause or cancel", async () => {
  const { instance, runId } = await openGate();
  const { engine } = instance;
  const times = Array.from({ length: 20 });
  await Promise.all(times.map(() => engine.signalRun(CALLER, runId, "other", 1, key("s"))));
  await Promise.all(times.map(() => engine.pauseRun(CALLER, runId, "", key("p"))));
  await Promise.all(times.map(() => engine.cancelRun(CALLER, runId, "enough", false, key("c"))));
  const types = (await bed.recordsOf(runId)).map((record) => record.type);
  expect(types.filter((type) => type === "signal.received")).toHaveLength(1);
  expect(types.filter((type) => type === "request.applied")).toHaveLength(2);
});

test("a terminate that comes again is answered with the ended run", async () => {
  const { instance, runId } = await openGate();
  await instance.engine.terminateRun(CALLER, runId, "enough", key("t"));
  expect((await instance.engine.terminateRun(CALLER, runId, "enough", key("t"))).state.phase).toBe("TERMINATED");
});

// Cause: only the ids were compared, so that a second signal under the same id was answered well and its data were
// dropped.
test("the same id with another body, or for another call, is refused and changes nothing", async () => {
  const { instance, runId } = await openGate();
  const { engine } = instance;
  await engine.signalRun(CALLER, runId, "other", 1, key("r", "one"));
  const refused = { code: "REQUEST_ID_REUSED" };
  await expect(engine.signalRun(CALLER, runId, "other", 2, key("r", "two"))).rejects.toMatchObject(refused);
  await expect(engine.cancelRun(CALLER, runId, "", false, key("r", "three"))).rejects.toMatchObject(refused);
  expect((await bed.stateOf(runId)).signals.map((signal) => signal.payload)).toEqual([1]);
  expect((await bed.stateOf(runId)).phase).toBe("RUNNING");
});

// Cause: the flow was looked up, and the input checked against its newest version, before the request id was.
test("a start that comes again is answered well though the newest version no longer takes its input", async () => {
  await bed.register("gate", [{ id: "go", type: "signal", parameters: { name: "go" } }]);
  const first = await bed.openInstance();
  const start = startOf("gate", { requestId: "r", requestHash: "h" });
  const { run } = await first.engine.startRun(CALLER, start, 0);
  await bed.register("gate", {
    version: "2",
    variables: [{ name: "needed", type: "string", required: true }],
    workflow: { tasks: [{ id: "go", type: "signal", parameters: { name: "go" } }] },
  });
  // Another instance has not looked the old version up.
  const second = await bed.openInstance();
  await expect(second.engine.startRun(CALLER, startOf("gate"), 0)).rejects.toMatchObject({
    code: "FLOW_INPUT_INVALID",
  });
  const again = await second.engine.startRun(CALLER, start, 0);
  expect(again).toMatchObject({ started: true, run: { state: { runId: run.state.runId } } });
  const other = startOf("gate", { requestId: "r", requestHash: "other" });
  await expect(second.engine.startRun(CALLER, other, 0)).rejects.toMatchObject({ code: "REQUEST_ID_REUSED" });
});

// Cause: a start that was answered with an open run kept nothing of its request id, and started a run when it came
// again after the end of that one.
test("a start that was answered with an open run is answered with that run again after its end", async () => {
  const { instance } = await openGate();
  const { engine } = instance;
  const { run } = await engine.startRun(CALLER, startOf("gate", { runKey: "k" }), 0);
  const { runId } = run.state;
  const start = startOf("gate", { runKey: "k", runKeyPolicy: "return_existing", requestId: "r", requestHash: "h" });
  const answers = await Promise.all(Array.from({ length: 10 }, () => engine.startRun(CALLER, start, 0)));
  for (const answer of answers) expect(answer).toMatchObject({ started: false, run: { state: { runId } } });
  await engine.terminateRun(CALLER, runId, "over");
  expect(await engine.startRun(CALLER, start, 0)).toMatchObject({
    started: false,
    run: { state: { runId, phase: "TERMINATED" } },
  });
  const other = { ...start, requestHash: "other" };
  await expect(engine.startRun(CALLER, other, 0)).rejects.toMatchObject({ code: "REQUEST_ID_REUSED" });
  // Without the id it is a start like any other.
  const fresh = await engine.startRun(CALLER, { ...start, requestId: "", requestHash: "" }, 0);
  expect(fresh.started).toBe(true);
  expect(fresh.run.state.runId).not.toBe(runId);
});

test("who waits for a run is answered when the service drains, and when the caller goes away", async () => {
  const { instance, runId } = await openGate();
  const { engine, runtime } = instance;
  const gone = new AbortController();
  const left = engine.startRun(CALLER, startOf("gate"), 50_000, gone.signal);
  const waiting = engine.waitRun(CALLER, runId, 50_000, new AbortController().signal);
  const starting = engine.startRun(CALLER, startOf("gate"), 50_000);
  await eventually(() =>
    expect([...instance.runs.residence.residents.values()].filter((resident) => resident.waits.size > 0)).toHaveLength(
      3,
    ),
  );
  gone.abort();
  expect((await left).run.state.phase).toBe("RUNNING");
  expect(await runtime.drain(1_000)).toBe(0);
  expect((await waiting).state.phase).toBe("RUNNING");
  expect(await starting).toMatchObject({ started: true, run: { state: { phase: "RUNNING" } } });
  const late = engine.waitRun(CALLER, runId, 50_000, new AbortController().signal);
  await expect(late).rejects.toMatchObject({ code: "SHUTTING_DOWN" });
});

test("a drain waits for the attempts under way and begins none; the next owner makes the rest once", async () => {
  await bed.register("two", [
    { id: "a", type: "noop" },
    { id: "b", type: "noop", depends_on: ["a"] },
  ]);
  const first = await bed.openInstance();
  const release = first.tools.hold("a");
  const { run } = await first.engine.startRun(CALLER, startOf("two"), 0);
  await eventually(() => expect(first.tools.calls).toHaveLength(1));
  const drained = first.runtime.drain(10_000);
  release();
  expect(await drained).toBe(0);
  await first.stop();
  const second = await bed.openInstance();
  const done = await second.engine.waitRun(CALLER, run.state.runId, 10_000, new AbortController().signal);
  expect(done.state.phase).toBe("COMPLETED");
  expect([...first.tools.calls, ...second.tools.calls].map((call) => `${call.path} ${call.attempt}`)).toEqual([
    "a 1",
    "b 1",
  ]);
});
