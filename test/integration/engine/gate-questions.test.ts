/** Questions of the gate when their owner dies, when another one has the run, and while an old instance lives. */
import { expect, test } from "vitest";
import type { Outcome } from "../../../src/engine/machine/events.ts";
import { FORMAT, JOURNAL_VERSION } from "../../../src/engine/shard/ownership/journal-format.ts";
import { eventually } from "../../support/eventually.ts";
import { startOf } from "../../support/start-of.ts";
import { CALLER, createBed, type Instance } from "./bed.ts";
import { createFakeTools, type FakeTools } from "./fake-tools.ts";

const bed = createBed();

const NEVER = new AbortController().signal;

const YES = { approved: true, comment: "fine", data: null };

const ASKED: Outcome = {
  ok: false,
  error: { type: "GATE_ASKED", message: "the gate asks a person first", retryable: true, noEffect: true },
  suspended: { key: "k", gate: true, wait: { kind: "approval" }, value: { title: "May it?" }, timeoutMs: 3_600_000 },
};

/** Tools that ask until the key is approved, and then answer as `then` says. */
function askingTools(then: Outcome = { ok: true, output: "done" }): FakeTools {
  const tools = createFakeTools();
  tools.answer("pay", ({ approvedCall }) => (approvedCall === "k" ? then : ASKED));
  return tools;
}

async function start({ engine }: Instance, flow = "pay"): Promise<string> {
  return (await engine.startRun(CALLER, startOf(flow), 0)).run.state.runId;
}

const asksIn = (runId: string) =>
  eventually(async () => {
    const id = await bed.openApprovalOf(runId);
    expect(id).toBeGreaterThan(0);
    return id;
  });

const rowsOf = (runId: string) =>
  bed.sql("SELECT approval_id, state, decided_by FROM orchestrator.approvals WHERE run_id = $1", [runId]);

test("another owner has the question, its decision, and the call that follows, once", async () => {
  await bed.register("pay", [{ id: "pay", type: "noop", retry_policy: { max_retries: 3, initial_delay: "10ms" } }]);
  const first = await bed.openInstance({ tools: askingTools() });
  const runId = await start(first);
  const id = await asksIn(runId);
  expect(await rowsOf(runId)).toEqual([{ approval_id: id, state: "PENDING", decided_by: "" }]);
  await first.crash();
  // Nothing of it is loaded: it waits for a person.
  const second = await bed.openInstance({ tools: askingTools() });
  expect(second.runs.residence.get(runId)).toBeUndefined();
  // The call of the approved attempt never ends, until its instance dies.
  second.tools.hold("pay");
  await second.engine.decideApproval(CALLER, runId, id, YES);
  await eventually(() => expect(second.tools.calls).toMatchObject([{ attempt: 1, approvedCall: "k" }]));
  await second.crash();
  const third = await bed.openInstance({ tools: askingTools() });
  const { state } = await third.engine.waitRun(CALLER, runId, 10_000, NEVER);
  expect(state.tasks.get("pay")).toMatchObject({ state: "COMPLETED", attempt: 1, output: "done" });
  expect(third.tools.calls).toMatchObject([{ attempt: 1, approvedCall: "k", repeats: true }]);
  expect(await rowsOf(runId)).toEqual([{ approval_id: id, state: "APPROVED", decided_by: "tester" }]);
  // The decision again, from the caller that did not hear the answer.
  await third.engine.decideApproval(CALLER, runId, id, YES);
});

test("children of a map ask one by one, and each approval lets its own child go on", async () => {
  await bed.register("many", [{ id: "all", type: "map", parameters: { items: [1, 2, 3], task: { type: "noop" } } }]);
  const tools = createFakeTools();
  tools.answer("all", ({ approvedCall, path }) =>
    approvedCall === path || ASKED.ok || ASKED.suspended === undefined
      ? { ok: true, output: path }
      : { ...ASKED, suspended: { ...ASKED.suspended, key: path } },
  );
  const instance = await bed.openInstance({ tools });
  const runId = await start(instance, "many");
  const open = async () =>
    [...(await bed.stateOf(runId)).approvals.values()].filter(({ state }) => state === "PENDING");
  await eventually(async () => expect(await open()).toHaveLength(3));
  for (const { id } of await open()) await instance.engine.decideApproval(CALLER, runId, id, YES);
  const { state } = await instance.engine.waitRun(CALLER, runId, 10_000, NEVER);
  expect(state.output).toEqual({ all: { outputs: ["all.0", "all.1", "all.2"] } });
});

test("a question waits to be written until every instance knows that the gate asks", async () => {
  await bed.register("pay", [{ id: "pay", type: "noop" }]);
  const instance = await bed.openInstance({ tools: askingTools(), ttlMs: 600 });
  const before = (FORMAT.fieldsSince["task.suspended.gate"] ?? 0) - 1;
  await bed.sql("UPDATE orchestrator.instances SET reads = $1", [before]);
  await eventually(() => expect(instance.runtime.format.version).toBe(before));
  const runId = await start(instance);
  await eventually(() =>
    expect(instance.lines.some(({ message }) => message.startsWith("work waits until what it writes"))).toBe(true),
  );
  expect(await bed.openApprovalOf(runId)).toBe(0);
  await bed.sql("UPDATE orchestrator.instances SET reads = $1", [JOURNAL_VERSION]);
  await instance.engine.decideApproval(CALLER, runId, await asksIn(runId), YES);
  const { state } = await instance.engine.waitRun(CALLER, runId, 10_000, NEVER);
  expect(state.phase).toBe("COMPLETED");
});

test("a task gives its slot of a limit to others while a person is asked", async () => {
  const limit = { name: "one", max_concurrent: 1 };
  await bed.register("pay", [
    { id: "pay", type: "noop", limit },
    { id: "next", type: "noop", limit },
  ]);
  const instance = await bed.openInstance({ tools: askingTools() });
  const runId = await start(instance);
  const id = await asksIn(runId);
  await eventually(async () => expect((await bed.stateOf(runId)).tasks.get("next")?.state).toBe("COMPLETED"));
  expect(await bed.sql("SELECT * FROM orchestrator.limit_slots")).toEqual([]);
  await instance.engine.decideApproval(CALLER, runId, id, YES);
  const { state } = await instance.engine.waitRun(CALLER, runId, 20_000, NEVER);
  expect(state.phase).toBe("COMPLETED");
});
