/** Child runs: started once, ended with their parent, reported once, whichever dies in between. */
import { expect, test } from "vitest";
import { childRunId } from "../../../src/base/ids.ts";
import type { Transition } from "../../../src/engine/ports/journal.ts";
import { eventually } from "../../support/eventually.ts";
import { startOf } from "../../support/start-of.ts";
import { CALLER, createBed, type Instance } from "./bed.ts";

const bed = createBed();

const NEVER = new AbortController().signal;

async function registerFamily(close = "cancel"): Promise<void> {
  await bed.register("child", [
    { id: "c", type: "noop", parameters: { output: 7 } },
    { id: "s", type: "signal", depends_on: ["c"], parameters: { name: "s" } },
  ]);
  await bed.register("parent", [
    { id: "p", type: "subflow", parameters: { flow_id: "child", close_policy: close, input: {} } },
    { id: "after", type: "noop", depends_on: ["p"], parameters: { output: "${p.output}" } },
  ]);
}

async function startParent(instance: Instance): Promise<{ parent: string; child: string }> {
  const { run } = await instance.engine.startRun(CALLER, startOf("parent"), 0);
  const parent = run.state.runId;
  const child = childRunId(parent, "p", 1);
  await eventually(async () => expect((await bed.stateOf(child)).tasks.get("s")?.state).toBe("WAITING"));
  return { parent, child };
}

const wait = async (instance: Instance, runId: string) =>
  (await instance.engine.waitRun(CALLER, runId, 10_000, NEVER)).state;

const isOf =
  (runId: string, type: string) =>
  (transitions: readonly Transition[]): boolean =>
    transitions.some(
      (transition) => transition.runId === runId && transition.records.some((record) => record.type === type),
    );

test("the output of a child run is the output of the task", async () => {
  await registerFamily();
  const instance = await bed.openInstance();
  const { parent, child } = await startParent(instance);
  await instance.engine.signalRun(CALLER, child, "s", "yes");
  expect(await wait(instance, parent)).toMatchObject({ phase: "COMPLETED", output: { after: { s: "yes" } } });
});

test("a child whose parent's commit survived and whose own start did not is started at the takeover, once", async () => {
  await registerFamily();
  const first = await bed.openInstance();
  first.journal.onCommit({ before: () => first.crash() }, (transitions) =>
    transitions.some((transition) => transition.runId.includes("~")),
  );
  const { run } = await first.engine.startRun(CALLER, startOf("parent"), 0);
  const parent = run.state.runId;
  await eventually(async () => expect(await bed.sql("SELECT 1 FROM orchestrator.instances")).toHaveLength(0));
  const second = await bed.openInstance();
  await eventually(() => second.engine.signalRun(CALLER, childRunId(parent, "p", 1), "s", 1, { id: "one", hash: "" }));
  expect((await wait(second, parent)).phase).toBe("COMPLETED");
  expect(await bed.sql("SELECT 1 FROM orchestrator.runs")).toHaveLength(2);
});

test("a parent hears of its child's end even when it was taken over between the two", async () => {
  await registerFamily();
  const first = await bed.openInstance();
  const { parent, child } = await startParent(first);
  first.journal.onCommit({ before: () => first.crash() }, isOf(parent, "task.completed"));
  await first.engine.signalRun(CALLER, child, "s", 1);
  await eventually(async () => expect(await bed.sql("SELECT 1 FROM orchestrator.instances")).toHaveLength(0));
  expect((await bed.stateOf(child)).phase).toBe("COMPLETED");
  expect((await bed.stateOf(parent)).tasks.get("p")?.state).toBe("WAITING");
  const second = await bed.openInstance();
  expect((await wait(second, parent)).phase).toBe("COMPLETED");
});

test("cancel and terminate reach the child", async () => {
  await registerFamily();
  const instance = await bed.openInstance();
  const canceled = await startParent(instance);
  instance.runs.residence.evictIdle(-60_000);
  await instance.engine.cancelRun(CALLER, canceled.parent, "", false);
  expect((await wait(instance, canceled.child)).phase).toBe("CANCELED");
  expect((await wait(instance, canceled.parent)).phase).toBe("CANCELED");
  const terminated = await startParent(instance);
  await instance.engine.terminateRun(CALLER, terminated.parent, "");
  await eventually(async () => expect((await bed.stateOf(terminated.child)).phase).toBe("CANCELED"));
});

test("close policies: terminate ends the child at once, abandon lets it go on", async () => {
  await registerFamily("terminate");
  const instance = await bed.openInstance();
  const one = await startParent(instance);
  await instance.engine.cancelRun(CALLER, one.parent, "", false);
  expect((await wait(instance, one.child)).phase).toBe("TERMINATED");
  await bed.register("parent2", [
    { id: "p", type: "subflow", parameters: { flow_id: "child", close_policy: "abandon" } },
  ]);
  const { run } = await instance.engine.startRun(CALLER, startOf("parent2"), 0);
  const { runId } = run.state;
  await eventually(async () =>
    expect((await bed.stateOf(childRunId(runId, "p", 1))).tasks.get("s")?.state).toBe("WAITING"),
  );
  await instance.engine.cancelRun(CALLER, runId, "", false);
  expect((await wait(instance, runId)).phase).toBe("CANCELED");
  expect((await bed.stateOf(childRunId(runId, "p", 1))).phase).toBe("RUNNING");
});

for (const how of ["cancel", "terminate"] as const) {
  test(`a child is not left alone when the instance dies between the parent's ${how} and the child's`, async () => {
    await registerFamily();
    const first = await bed.openInstance();
    const { parent, child } = await startParent(first);
    first.journal.onCommit(
      { after: () => first.crash() },
      isOf(parent, how === "cancel" ? "run.ending" : "run.terminated"),
    );
    const ending =
      how === "cancel"
        ? first.engine.cancelRun(CALLER, parent, "", false)
        : first.engine.terminateRun(CALLER, parent, "");
    ending.catch(() => {});
    await eventually(async () => expect(await bed.sql("SELECT 1 FROM orchestrator.instances")).toHaveLength(0));
    expect((await bed.stateOf(child)).phase).toBe("RUNNING");
    const second = await bed.openInstance();
    // Sooner than the bound after which a cancel no longer waits (30 s).
    await eventually(async () => expect((await bed.stateOf(child)).phase).toBe("CANCELED"));
    expect((await wait(second, parent)).phase).toBe(how === "cancel" ? "CANCELED" : "TERMINATED");
  });
}

test("a child that its parent gave up is ended although the instance died before it could tell it", async () => {
  await bed.register("child", [{ id: "s", type: "signal", parameters: { name: "s" } }]);
  await bed.register("parent", [
    { id: "p", type: "subflow", timeout: "200ms", on_error: "continue", parameters: { flow_id: "child" } },
    { id: "hold", type: "signal", depends_on: ["p"], parameters: { name: "hold" } },
  ]);
  const first = await bed.openInstance();
  const { run } = await first.engine.startRun(CALLER, startOf("parent"), 0);
  const parent = run.state.runId;
  first.journal.onCommit({ after: () => first.crash() }, isOf(parent, "task.failed"));
  await eventually(async () => expect(await bed.sql("SELECT 1 FROM orchestrator.instances")).toHaveLength(0));
  expect((await bed.stateOf(parent)).tasks.get("hold")?.state).toBe("WAITING");
  expect((await bed.stateOf(childRunId(parent, "p", 1))).phase).toBe("RUNNING");
  await bed.openInstance();
  await eventually(async () => expect((await bed.stateOf(childRunId(parent, "p", 1))).phase).toBe("CANCELED"));
});

test("a child goes on when nobody pauses it any more, neither its parent nor its own operator, in whatever order they let go", async () => {
  await registerFamily();
  const instance = await bed.openInstance();
  const kindsOf = async (runId: string) => (await bed.stateOf(runId)).holds.map(({ kind }) => kind).sort();
  for (const last of ["parent", "child"] as const) {
    const family = await startParent(instance);
    const { parent, child } = family;
    await instance.engine.pauseRun(CALLER, child, "mine");
    await instance.engine.pauseRun(CALLER, parent, "lunch");
    await eventually(async () => expect(await kindsOf(child)).toEqual(["operator", "parent"]));
    await instance.engine.signalRun(CALLER, child, "s", 1);
    await instance.engine.resumeRun(CALLER, last === "parent" ? child : parent, [], "");
    await eventually(async () => expect(await kindsOf(child)).toEqual([last === "parent" ? "parent" : "operator"]));
    expect((await instance.engine.getRun(CALLER, child)).state.phase).toBe("RUNNING");
    await instance.engine.resumeRun(CALLER, family[last], [], "");
    expect((await wait(instance, parent)).phase).toBe("COMPLETED");
  }
});

test("a pause reaches the children of children, and its end those whose parent nobody else paused", async () => {
  await registerFamily();
  await bed.register("grandparent", [{ id: "g", type: "subflow", parameters: { flow_id: "parent" } }]);
  const instance = await bed.openInstance();
  const { run } = await instance.engine.startRun(CALLER, startOf("grandparent"), 0);
  const [top, middle, child] = [
    run.state.runId,
    childRunId(run.state.runId, "g", 1),
    childRunId(childRunId(run.state.runId, "g", 1), "p", 1),
  ];
  const holdsOf = async (runId: string) => (await bed.stateOf(runId)).holds.map(({ kind, why }) => `${kind}: ${why}`);
  await eventually(async () => expect((await bed.stateOf(child)).tasks.get("s")?.state).toBe("WAITING"));
  await instance.engine.pauseRun(CALLER, top, "lunch");
  await eventually(async () => expect(await holdsOf(child)).toEqual([`parent: the run ${middle} is paused`]));
  await instance.engine.pauseRun(CALLER, middle, "mine");
  await instance.engine.resumeRun(CALLER, top, [], "");
  await eventually(async () => expect(await holdsOf(middle)).toEqual(["operator: mine"]));
  await instance.engine.signalRun(CALLER, child, "s", 1);
  expect(await holdsOf(child)).toEqual([`parent: the run ${middle} is paused`]);
  await instance.engine.resumeRun(CALLER, middle, [], "");
  expect((await wait(instance, top)).phase).toBe("COMPLETED");
});

test("a pause reaches the child although the instance died before it could tell it; so does its end", async () => {
  await registerFamily();
  const first = await bed.openInstance();
  const { parent, child } = await startParent(first);
  first.journal.onCommit({ after: () => first.crash() }, isOf(parent, "run.held"));
  first.engine.pauseRun(CALLER, parent, "lunch").catch(() => {});
  await eventually(async () => expect(await bed.sql("SELECT 1 FROM orchestrator.instances")).toHaveLength(0));
  expect((await bed.stateOf(child)).holds).toEqual([]);
  const second = await bed.openInstance();
  await eventually(async () => expect((await bed.stateOf(child)).holds).toMatchObject([{ kind: "parent" }]));
  second.journal.onCommit({ after: () => second.crash() }, isOf(parent, "run.released"));
  second.engine.resumeRun(CALLER, parent, [], "back").catch(() => {});
  await eventually(async () => expect(await bed.sql("SELECT 1 FROM orchestrator.instances")).toHaveLength(0));
  const third = await bed.openInstance();
  await eventually(async () => expect((await bed.stateOf(child)).holds).toEqual([]));
  await third.engine.signalRun(CALLER, child, "s", 1);
  expect((await wait(third, parent)).phase).toBe("COMPLETED");
});

test("a cancel that comes between the parent's wait and the child's start leaves no child behind", async () => {
  await registerFamily();
  const instance = await bed.openInstance();
  let open = (): void => {};
  const opened = new Promise<void>((resolve) => (open = resolve));
  instance.journal.beforeLoad = (runId) => (runId.includes("~") ? opened : undefined);
  const { run } = await instance.engine.startRun(CALLER, startOf("parent"), 0);
  const { runId } = run.state;
  await eventually(async () => expect((await bed.stateOf(runId)).tasks.get("p")?.state).toBe("WAITING"));
  const canceled = instance.engine.cancelRun(CALLER, runId, "", false);
  open();
  await canceled;
  expect((await wait(instance, runId)).phase).toBe("CANCELED");
  expect(await bed.sql("SELECT 1 FROM orchestrator.runs WHERE ended_at IS NULL")).toEqual([]);
});

test("a flow that starts itself without end is stopped", async () => {
  await bed.register("self", [{ id: "again", type: "subflow", parameters: { flow_id: "self" } }]);
  const instance = await bed.openInstance();
  const { run } = await instance.engine.startRun(CALLER, startOf("self"), 20_000);
  expect(run.state.phase).toBe("FAILED");
  const [row] = await bed.sql<{ runs: number }>("SELECT count(*) AS runs FROM orchestrator.runs");
  expect(row?.runs).toBeLessThan(200);
});

test("a subflow with a run_key that is open fails its task, and nothing turns in circles", async () => {
  await bed.register("child", [{ id: "s", type: "signal", parameters: { name: "s" } }]);
  await bed.register("parent", [{ id: "p", type: "subflow", parameters: { flow_id: "child", run_key: "only" } }]);
  const instance = await bed.openInstance();
  const holder = await instance.engine.startRun(CALLER, startOf("child", { runKey: "only" }), 0);
  const { run } = await instance.engine.startRun(CALLER, startOf("parent"), 10_000);
  expect(run.state).toMatchObject({ phase: "FAILED" });
  expect(run.state.error?.message).toContain("RUN_KEY_OPEN");
  expect(instance.journal.batches.length).toBeLessThan(20);
  expect((await bed.stateOf(holder.run.state.runId)).phase).toBe("RUNNING");
});

test("a run that somebody started under the id of a child is not taken for the child", async () => {
  await registerFamily();
  const instance = await bed.openInstance();
  for (const runId of ["mine:p", childRunId("mine", "p", 1)]) {
    const refused = instance.engine.startRun(CALLER, startOf("child", { runId }), 0);
    await expect(refused).rejects.toMatchObject({ code: "INVALID_REQUEST" });
  }
});

// The columns of a batch are parted by U+0001: a run key that held it would have moved the facts of other runs of the
// batch.
test("a run key that is evaluated to something with control characters fails its task", async () => {
  await bed.register("child", [{ id: "c", type: "noop" }]);
  await bed.register("parent", {
    variables: [{ name: "key", type: "string" }],
    workflow: {
      tasks: [{ id: "p", type: "subflow", parameters: { flow_id: "child", run_key: "${vars.key}", input: {} } }],
    },
  });
  const instance = await bed.openInstance();
  const request = startOf("parent", { input: { key: "a\u0001b" } });
  const { run } = await instance.engine.startRun(CALLER, request, 10_000);
  expect(run.state).toMatchObject({ phase: "FAILED", error: { type: "EXPRESSION_FAILED", task: "p" } });
  expect(run.state.error?.message).toMatch(/run_key: expected text without control characters/);
});
