/** What a goal says of its plan, from the run that does it. */
import { expect, test } from "vitest";
import { childRunId } from "../../../../src/base/ids.ts";
import {
  type Approval,
  createState,
  type Hold,
  type RunState,
  type TaskState,
} from "../../../../src/engine/machine/state.ts";
import { listPartRuns, planOf, workRunIdOf } from "../../../../src/engine/runs/goals/plan.ts";

const ID = "550e8400-e29b-41d4-a716-446655440000";

function stateOf(runId: string, tasks: Readonly<Record<string, Partial<TaskState>>>, more: object = {}): RunState {
  const state = Object.assign(createState(runId), { phase: "RUNNING" }, more);
  for (const [path, task] of Object.entries(tasks))
    state.tasks.set(path, { path, wait: null, attempt: 1, ...task } as TaskState);
  return state;
}

const SUBFLOW = { input: { flow_id: "f" } };
const DRAFT = { ...SUBFLOW, output: { text: "id: p", hash: "h", estimate: null } };

test("the work of a goal is the run that its result comes from, while it goes on and after it", () => {
  const workRunId = childRunId(ID, "result", 1);
  expect(workRunIdOf(stateOf(ID, {}))).toBeNull();
  expect(workRunIdOf(stateOf(ID, { result: { wait: { kind: "run", runId: "w" } } }))).toBe("w");
  expect(workRunIdOf(stateOf(ID, { result: SUBFLOW }))).toBe(workRunId);
  // Goals whose result comes from elsewhere.
  expect(workRunIdOf(stateOf(ID, { result: { wait: { kind: "signal", name: "result" } } }))).toBeNull();
  expect(workRunIdOf(stateOf(ID, { result: { input: {} } }))).toBeNull();
});

test("a plan without a hash is none; one with it has its approval while that waits, and its run", () => {
  const pending = new Map([[7, { id: 7, state: "PENDING" } as Approval]]);
  const asked = stateOf("w", { "draft~1": DRAFT, "approve~1": { wait: { kind: "approval" } } }, { approvals: pending });
  expect(planOf(asked, [])).toEqual({
    ...{ workRunId: "w", text: "id: p", hash: "h", estimate: null, approvalId: 7, runId: null, waitingReason: "" },
  });
  const decided = new Map([[7, { id: 7, state: "APPROVED" } as Approval]]);
  const done = stateOf("w", { "draft~1": DRAFT, "do~1": SUBFLOW }, { approvals: decided });
  expect(planOf(done, [])).toMatchObject({ approvalId: null, runId: childRunId("w", "do~1", 1) });
  expect(listPartRuns(done)).toEqual([childRunId("w", "draft~1", 1), childRunId("w", "do~1", 1)]);
  const none = stateOf("w", { "draft~1": { ...SUBFLOW, output: { text: "bad", hash: "" } } });
  expect(planOf(none, [])).toMatchObject({ text: "", hash: "" });
});

test("what does not go on says why: the run that is held, and not those that wait for it", () => {
  const held = (kind: Hold["kind"], why: string) => ({ holds: [{ kind, why, by: "", since: 1 }] });
  const work = stateOf("w", {}, held("parent", "the run above is paused"));
  const part = stateOf("p", {}, held("budget", "it has no tokens left"));
  expect(planOf(work, [part]).waitingReason).toBe("the run p is held (budget): it has no tokens left");
  expect(planOf(work, [stateOf("p", {}, { ...held("budget", "x"), phase: "CANCELED" })]).waitingReason).toBe("");
});
