import { expect, test } from "vitest";
import { eventually } from "../../support/eventually.ts";
import { startOf } from "../../support/start-of.ts";
import { CALLER, createBed } from "./bed.ts";

const bed = createBed();

// Cause: a flow whose graph no module exports was started, and its run waited forever without a word to its caller.
test("a flow whose graph is not loaded is not started, as a run or as a child run", async () => {
  const { engine } = await bed.openInstance({ graphs: new Set(["loaded"]) });
  await bed.register("parent", [{ id: "call", type: "subflow", parameters: { flow_id: "missing" } }]);
  for (const graph of ["missing", "loaded"]) await bed.register(graph, { workflow: { graph } });
  await expect(engine.startRun(CALLER, startOf("missing"), 0)).rejects.toMatchObject({
    code: "GRAPH_NOT_LOADED",
    details: { graph: "missing" },
  });
  expect(await engine.startRun(CALLER, startOf("loaded"), 0)).toMatchObject({ started: true });
  const parent = await engine.startRun(CALLER, startOf("parent"), 0);
  await eventually(async () =>
    expect((await bed.stateOf(parent.run.state.runId)).tasks.get("call")?.error?.message).toContain("graph missing"),
  );
});
