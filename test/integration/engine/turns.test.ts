/** One run cannot keep the engine: what takes long is cut into turns, and everybody else is served in between. */
import { expect, test } from "vitest";
import { SLICE_WORK } from "../../../src/engine/shard/submission/time-slices.ts";
import { eventually } from "../../support/eventually.ts";
import { startOf } from "../../support/start-of.ts";
import { CALLER, createBed } from "./bed.ts";

const bed = createBed();

const NEVER = new AbortController().signal;

/** A map whose children use up all the steps that one value may take. */
const COSTLY = {
  variables: [{ name: "items", type: "array" }],
  workflow: {
    tasks: [
      {
        id: "m",
        type: "map",
        parameters: {
          items: "${vars.items}",
          task: {
            type: "transform",
            on_error: "continue",
            parameters: { output: "${vars.items.map(a, vars.items.map(b, vars.items.map(c, a + b + c)))}" },
          },
        },
      },
    ],
    output: "${size(m.outputs)}",
  },
};
const ITEMS = Array.from({ length: 60 }, (_, index) => index);

// Each expression had a bound, the loop around them had none: 2,000 of these kept everybody waiting for 50 s, and the
// leases ran out.
test("a run of costly expressions is cut; others start and end before it is done", async () => {
  await bed.register("costly", COSTLY);
  await bed.register("light", [{ id: "a", type: "noop", parameters: { output: 1 } }]);
  const instance = await bed.openInstance({ commitConnections: 1 });
  const { run } = await instance.engine.startRun(CALLER, startOf("costly", { input: { items: ITEMS } }), 0);
  expect(run.state.phase).toBe("RUNNING");
  for (let index = 0; index < 5; index += 1) {
    const light = await instance.engine.startRun(CALLER, startOf("light"), 10_000);
    expect(light.run.state.phase).toBe("COMPLETED");
  }
  const { sequence, phase } = (await instance.engine.getRun(CALLER, run.state.runId)).state;
  expect(phase).toBe("RUNNING");
  expect(sequence).toBeLessThan(ITEMS.length);
  const end = await instance.engine.waitRun(CALLER, run.state.runId, 60_000, NEVER);
  expect(end.state).toMatchObject({ phase: "COMPLETED", output: ITEMS.length });
  expect(end.state.tasks.get("m.7")?.error?.type).toBe("EXPRESSION_TOO_COSTLY");
});

test("a run that makes many records makes them in transitions of a few thousand", async () => {
  await bed.register("wide", {
    variables: [{ name: "items", type: "array" }],
    workflow: {
      tasks: [
        {
          id: "m",
          type: "map",
          parameters: { items: "${vars.items}", task: { type: "transform", parameters: { output: "${index}" } } },
        },
      ],
      output: "${size(m.outputs)}",
    },
  });
  const instance = await bed.openInstance();
  const items = Array.from({ length: 10_000 }, (_, index) => index);
  const { run } = await instance.engine.startRun(CALLER, startOf("wide", { input: { items } }), 30_000);
  expect(run.state).toMatchObject({ phase: "COMPLETED", output: 10_000 });
  const rows = await bed.sql<{ record_count: number }>(
    "SELECT record_count FROM orchestrator.journal ORDER BY sequence",
  );
  expect(rows.length).toBeGreaterThan(1);
  for (const { record_count: count } of rows) expect(count).toBeLessThanOrEqual(SLICE_WORK);
});

test("a state machine that never rests can be paused, goes on after a crash, and is ended", async () => {
  await bed.register("spin", {
    workflow: {
      initial: "a",
      max_transitions: 1_000_000,
      states: [
        { id: "a", transitions: [{ when: "${run.run_id == ''}", to: "c" }, { to: "b" }] },
        { id: "b", transitions: [{ to: "a" }] },
        { id: "c", final: "completed" },
      ],
    },
  });
  const first = await bed.openInstance();
  const { run } = await first.engine.startRun(CALLER, startOf("spin"), 0);
  const { runId } = run.state;
  const paused = await first.engine.pauseRun(CALLER, runId, "enough");
  expect(paused.state.holds).toHaveLength(1);
  const at = (await eventually(() => first.engine.getRun(CALLER, runId))).state.sequence;
  expect((await bed.stateOf(runId)).sequence).toBe(at);
  await first.engine.resumeRun(CALLER, runId, [], "");
  await eventually(async () => expect((await bed.stateOf(runId)).sequence).toBeGreaterThan(at + 1_000));
  await first.crash();
  const reached = (await bed.stateOf(runId)).sequence;
  const second = await bed.openInstance();
  await eventually(async () => expect((await bed.stateOf(runId)).sequence).toBeGreaterThan(reached + 1_000));
  const canceled = await second.engine.cancelRun(CALLER, runId, "enough", false);
  expect(["CANCELING", "CANCELED"]).toContain(canceled.state.phase);
  expect((await second.engine.waitRun(CALLER, runId, 10_000, NEVER)).state.phase).toBe("CANCELED");
});
