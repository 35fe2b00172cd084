/** Deletion of flow versions: no run without its version, whatever starts and deletions meet on whatever instances. */
import { expect, test } from "vitest";
import { isOrchestratorError } from "../../../src/base/errors.ts";
import { childRunId } from "../../../src/base/ids.ts";
import { createFlowRegistry } from "../../../src/flows/registry.ts";
import { createFlowStore } from "../../../src/store/flow-versions.ts";
import { eventually } from "../../support/eventually.ts";
import { findMiscounts } from "../../support/run-counts.ts";
import { startOf } from "../../support/start-of.ts";
import { CALLER, createBed, type Instance, SHARDS } from "./bed.ts";

const bed = createBed();

/** A registry of its own, as another instance has it. */
const openRegistry = () => createFlowRegistry(createFlowStore(bed.database));

async function register(version: string, flow = "f", output: string | number = version): Promise<void> {
  await openRegistry().registerFlow(
    "default",
    { document: { id: flow, version, workflow: { tasks: [{ id: "a", type: "noop", parameters: { output } }] } } },
    false,
  );
}

/** Two instances that share the shards. */
async function openTwo(): Promise<readonly [Instance, Instance]> {
  const first = await bed.openInstance({ ttlMs: 2_000 });
  const second = await bed.openInstance({ ttlMs: 2_000 });
  await eventually(() => expect(second.runtime.shards.owned).toHaveLength(SHARDS / 2));
  return [first, second];
}

const orphans = () =>
  bed.sql(
    `SELECT r.run_id FROM orchestrator.runs r WHERE NOT EXISTS (
      SELECT 1 FROM orchestrator.flow_versions f
      WHERE f.tenant_id = r.tenant_id AND f.flow_id = r.flow_id AND f.version = r.version AND f.hash = r.flow_hash)`,
  );

test("a version that a run uses stays, ended runs included, and the refusal names a run", async () => {
  await register("1");
  const { engine } = await bed.openInstance();
  const registry = openRegistry();
  const { run } = await engine.startRun(CALLER, startOf("f"), 10_000);
  const { runId } = run.state;
  await expect(registry.deleteVersion("default", "f", "1", "r")).rejects.toMatchObject({
    code: "FLOW_IN_USE",
    grpc: "FAILED_PRECONDITION",
    details: { flowId: "f", version: "1", count: 1, runId },
  });
  // A flow of the same name of another tenant is another flow.
  await expect(registry.deleteVersion("other", "f", "1", "r")).rejects.toMatchObject({ code: "FLOW_NOT_FOUND" });
  await engine.deleteRun(CALLER, runId);
  expect(await registry.deleteVersion("default", "f", "1", "r")).toBeGreaterThan(1_600_000_000_000);
  expect(await findMiscounts(bed.database.reads)).toEqual([]);
});

test("no instance starts a version from memory after its deletion; the one before it is the latest then", async () => {
  await register("1");
  await register("2");
  const [first, second] = await openTwo();
  const started: string[] = [];
  // Each instance knows both plans.
  for (const { engine } of [first, second])
    for (const version of ["", "1", "2"]) {
      const { run } = await engine.startRun(CALLER, startOf("f", { version }), 10_000);
      started.push(run.state.runId);
    }
  for (const runId of started)
    await eventually(() => first.engine.deleteRun(CALLER, runId).catch(() => second.engine.deleteRun(CALLER, runId)));
  await openRegistry().deleteVersion("default", "f", "2", "");
  for (const { engine } of [first, second]) {
    await expect(engine.startRun(CALLER, startOf("f", { version: "2" }), 0)).rejects.toMatchObject({
      code: "FLOW_NOT_FOUND",
      message: expect.stringContaining("the latest is 1"),
    });
    const { run } = await engine.startRun(CALLER, startOf("f", { requestId: "r", requestHash: "h" }), 10_000);
    expect(run.state).toMatchObject({ version: "1", phase: "COMPLETED" });
  }
  expect(await orphans()).toEqual([]);
});

test("a batch that holds a start of a deleted version writes all other transitions", async () => {
  await register("1");
  await register("1", "g");
  const { engine } = await bed.openInstance();
  // Known, and used by nothing.
  const { run } = await engine.startRun(CALLER, startOf("f"), 10_000);
  await engine.deleteRun(CALLER, run.state.runId);
  await openRegistry().deleteVersion("default", "f", "1", "");
  const flows = Array.from({ length: 40 }, (_, index) => (index % 7 === 3 ? "f" : "g"));
  const results = await engine.startRuns(
    CALLER,
    flows.map((flow, index) => startOf(flow, index % 2 === 0 ? {} : { runId: `run-${index}` })),
    10_000,
  );
  expect(results.map((result) => (isOrchestratorError(result) ? result.code : "STARTED"))).toEqual(
    flows.map((flow) => (flow === "f" ? "FLOW_NOT_FOUND" : "STARTED")),
  );
  expect(await orphans()).toEqual([]);
  // A run id that was refused with its flow is free.
  await register("1");
  expect((await engine.startRun(CALLER, startOf("f", { runId: "run-3" }), 10_000)).run.state.phase).toBe("COMPLETED");
});

test("a version that is registered again, with other content, runs with that content on every instance", async () => {
  await register("1");
  const [first, second] = await openTwo();
  for (const { engine } of [first, second]) {
    const { run } = await engine.startRun(CALLER, startOf("f", { version: "1" }), 10_000);
    expect(run.state.output).toEqual({ a: "1" });
    await engine.deleteRun(CALLER, run.state.runId);
  }
  await openRegistry().deleteVersion("default", "f", "1", "");
  await register("1", "f", "other");
  for (const { engine } of [first, second]) {
    const { run } = await engine.startRun(CALLER, startOf("f", { version: "1" }), 10_000);
    expect(run.state.output).toEqual({ a: "other" });
  }
  expect(await orphans()).toEqual([]);
});

test("a deletion that is sent again deletes nothing that was registered since", async () => {
  await register("1");
  const registry = openRegistry();
  const [one, two] = await Promise.all([
    registry.deleteVersion("default", "f", "1", "r"),
    openRegistry().deleteVersion("default", "f", "1", "r"),
  ]);
  expect(two).toBe(one);
  await register("1");
  expect(await registry.deleteVersion("default", "f", "1", "r")).toBe(one);
  expect((await registry.getFlow("default", "f", "1")).version).toBe("1");
  await register("2");
  await expect(registry.deleteVersion("default", "f", "2", "r")).rejects.toMatchObject({ code: "REQUEST_ID_REUSED" });
  expect((await registry.getFlow("default", "f", "2")).version).toBe("2");
  await registry.deleteVersion("default", "f", "1", "");
  await expect(registry.deleteVersion("default", "f", "1", "")).rejects.toMatchObject({ code: "FLOW_NOT_FOUND" });
});

test("a subflow does not keep the version that it names: its task fails, and an open child keeps it", async () => {
  await bed.register("child", [{ id: "s", type: "signal", parameters: { name: "s" } }]);
  await bed.register("parent", [{ id: "p", type: "subflow", parameters: { flow_id: "child" } }]);
  const { engine } = await bed.openInstance();
  const { run } = await engine.startRun(CALLER, startOf("parent"), 0);
  const child = childRunId(run.state.runId, "p", 1);
  await eventually(async () => expect((await bed.stateOf(child)).tasks.get("s")?.state).toBe("WAITING"));
  const registry = openRegistry();
  await expect(registry.deleteVersion("default", "child", "1", "")).rejects.toMatchObject({
    code: "FLOW_IN_USE",
    details: { runId: child },
  });
  await engine.terminateRun(CALLER, run.state.runId, "");
  await eventually(() => engine.deleteRun(CALLER, child));
  await registry.deleteVersion("default", "child", "1", "");
  // The instance has the plan of the child in memory.
  const again = await engine.startRun(CALLER, startOf("parent"), 10_000);
  expect(again.run.state).toMatchObject({ phase: "FAILED" });
  expect(again.run.state.error?.message).toContain("FLOW_NOT_FOUND");
  expect(await orphans()).toEqual([]);
});

test("starts and deletions that meet leave no run without its version, and none of them fails otherwise", async () => {
  await register("1");
  const instances = await openTwo();
  const outcomes = new Map<string, number>();
  const note = (outcome: string): void => void outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
  const codeOf = (error: unknown): string => (isOrchestratorError(error) ? error.code : String(error));
  const until = performance.now() + 4_000;
  const starter = async ({ engine }: (typeof instances)[number], version: string): Promise<void> => {
    while (performance.now() < until) {
      try {
        const { run } = await engine.startRun(CALLER, startOf("f", { version }), 5_000);
        // It read its version, and ran.
        note(run.state.phase === "COMPLETED" ? "started" : `a run that is ${run.state.phase}`);
        await engine.deleteRun(CALLER, run.state.runId);
      } catch (error) {
        note(codeOf(error));
      }
    }
  };
  const deleter = async (): Promise<void> => {
    const registry = openRegistry();
    while (performance.now() < until) {
      await registry.deleteVersion("default", "f", "1", crypto.randomUUID()).then(
        () => note("deleted"),
        (error: unknown) => note(codeOf(error) === "FLOW_NOT_FOUND" ? "nothing to delete" : codeOf(error)),
      );
    }
  };
  const registrar = async (): Promise<void> => {
    for (let turn = 0; performance.now() < until; turn += 1)
      await register("1", "f", turn % 2).catch((error: unknown) => {
        if (codeOf(error) !== "FLOW_VERSION_EXISTS") throw error;
      });
  };
  await Promise.all([
    ...instances.flatMap((instance) => [starter(instance, "1"), starter(instance, ""), starter(instance, "1")]),
    deleter(),
    registrar(),
    (async () => {
      while (performance.now() < until) expect(await orphans()).toEqual([]);
    })(),
  ]);
  expect(await orphans()).toEqual([]);
  const seen = new Set(outcomes.keys());
  for (const outcome of ["started", "deleted"]) expect(seen, outcome).toContain(outcome);
  const allowed = ["started", "deleted", "nothing to delete", "FLOW_NOT_FOUND", "FLOW_IN_USE"];
  expect([...seen].filter((outcome) => !allowed.includes(outcome))).toEqual([]);
  expect(await findMiscounts(bed.database.reads)).toEqual([]);
});
