// Numbers passed the check of a subflow's labels and were cast to text: the first answer that held the child ended the
// process, on every instance.
import { expect, test } from "vitest";
import { childRunId } from "../../../src/base/ids.ts";
import { eventually } from "../../support/eventually.ts";
import { startOf } from "../../support/start-of.ts";
import { CALLER, createBed } from "./bed.ts";

const bed = createBed();

const NEVER = new AbortController().signal;

const parentWith = (labels: Record<string, unknown>) => ({
  variables: [{ name: "n", type: "any" }],
  workflow: { tasks: [{ id: "s", type: "subflow", parameters: { flow_id: "kid", labels } }] },
});

test("labels of a child are text: other constants are refused, other results of expressions fail the task", async () => {
  await bed.register("kid", [{ id: "a", type: "noop" }]);
  for (const value of [5, true, 1.5, null, ["x"], { a: "x" }])
    await expect(bed.register("bad", parentWith({ priority: value }) as never)).rejects.toThrow(/labels\.priority/);
  await bed.register("parent", parentWith({ priority: "${n}", fixed: "x${string(1)}" }) as never);
  const instance = await bed.openInstance();
  for (const n of [5, true, null, { a: 1 }, ["x"], "y".repeat(257)]) {
    const { run } = await instance.engine.startRun(CALLER, startOf("parent", { input: { n } }), 0);
    const { state } = await instance.engine.waitRun(CALLER, run.state.runId, 10_000, NEVER);
    expect(state).toMatchObject({ phase: "FAILED", error: { type: "EXPRESSION_FAILED", task: "s" } });
    expect(state.error?.message).toContain("labels.priority");
  }
  const labels = { team: "core" };
  const { run } = await instance.engine.startRun(CALLER, startOf("parent", { input: { n: "high" }, labels }), 0);
  const { runId } = run.state;
  await eventually(async () => expect((await bed.stateOf(runId)).phase).toBe("COMPLETED"));
  expect((await bed.stateOf(childRunId(runId, "s", 1))).facts.labels).toEqual({
    team: "core",
    priority: "high",
    fixed: "x1",
  });
});

test("a child that would have more labels than a run may have fails its task", async () => {
  await bed.register("kid", [{ id: "a", type: "noop" }]);
  await bed.register("parent", parentWith({ extra: "x" }) as never);
  const instance = await bed.openInstance();
  const labels = Object.fromEntries(Array.from({ length: 32 }, (_, index) => [`l${index}`, "x"]));
  const { run } = await instance.engine.startRun(CALLER, startOf("parent", { labels }), 0);
  const { state } = await instance.engine.waitRun(CALLER, run.state.runId, 10_000, NEVER);
  expect(state).toMatchObject({ phase: "FAILED", error: { task: "s" } });
  const result = instance.engine.startRun(CALLER, startOf("kid", { labels: { n: 5 as unknown as string } }), 0);
  await expect(result).rejects.toMatchObject({ code: "INVALID_REQUEST" });
});
