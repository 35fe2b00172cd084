import { describe, expect, test } from "vitest";
import type { JournalRecord } from "../../../../src/engine/machine/records.ts";
import { createState, type Phase, type RunState, type TaskState } from "../../../../src/engine/machine/state.ts";
import { goalOf, isGoal } from "../../../../src/engine/runs/goals/goal.ts";
import { createGoalLog, createGoalMetrics } from "../../../../src/telemetry/goal-story.ts";

const ID = "550e8400-e29b-41d4-a716-446655440000";
const VARS = {
  ...{ goal: "count", constraints: ["c"], acceptance_criteria: [], priority: "high" },
  ...{ max_cost_micros: 500_000, max_time_seconds: 300, max_tokens: 2_000 },
};

function stateOf(more: Partial<RunState>, id = ID): RunState {
  return Object.assign(createState(id), { flowId: "orchestrator-goal", vars: VARS, createdAt: 1_000 }, more);
}

describe("the status of a goal", () => {
  test.each<[Phase, Partial<RunState>, string, number]>([
    ["QUEUED", {}, "pending", 1_000],
    ["QUEUED", { holds: [{ kind: "operator", by: "", why: "", since: 1 }] as never }, "pending", 1_000],
    ["RUNNING", { startAt: 2_000 }, "processing", 2_000],
    ["RUNNING", { startAt: 2_000, holds: [{ kind: "quarantine" }] as never }, "processing", 2_000],
    ["CANCELING", { startAt: 2_000 }, "processing", 2_000],
    ["COMPENSATING", { startAt: 2_000 }, "processing", 2_000],
    ["COMPLETED", { startAt: 2_000, endedAt: 3_000 }, "completed", 3_000],
    ["FAILED", { endedAt: 3_000 }, "failed", 3_000],
    ["TIMED_OUT", { endedAt: 3_000 }, "failed", 3_000],
    ["CANCELED", { endedAt: 3_000 }, "cancelled", 3_000],
    ["TERMINATED", { endedAt: 3_000 }, "cancelled", 3_000],
  ])("%s with %o is %s", (phase, more, status, updatedAt) => {
    expect(goalOf(stateOf({ phase, ...more }))).toMatchObject({ status, updatedAt, createdAt: 1_000 });
  });
});

test("a goal that is done has its result; the confidence may be missing", () => {
  const done = (signal: object) => {
    const state = stateOf({ phase: "COMPLETED", endedAt: 3_000, output: { score: 1 } });
    state.tasks.set("result", { output: signal } as TaskState);
    return goalOf(state).result;
  };
  expect(done({ output: { score: 1 }, confidence: 0.5 })).toEqual({ output: { score: 1 }, confidence: 0.5 });
  expect(done({ output: { score: 1 } })).toEqual({ output: { score: 1 }, confidence: null });
});

test("other runs are no goals: those of other flows, children, and copies with ids of runs", () => {
  expect(isGoal(stateOf({}))).toBe(true);
  expect(isGoal(stateOf({ flowId: "mine" }))).toBe(false);
  expect(isGoal(stateOf({}, "01jd-run"))).toBe(false);
  expect(isGoal(stateOf({ facts: { ...stateOf({}).facts, parent: { runId: "p" } as never } }))).toBe(false);
});

test("each status that a goal enters is counted and told once, without its text", () => {
  const counts: string[] = [];
  const lines: unknown[] = [];
  const metrics = { counter: (name: string, status: string) => ({ add: () => counts.push(`${name} ${status}`) }) };
  const tell = (message: string, fields?: object) => lines.push([message, fields]);
  const log = { debug: tell, info: tell, warn: tell, error: tell };
  const read = ({ state }: { state: RunState }) => (isGoal(state) ? goalOf(state) : null);
  const observers = [createGoalMetrics(metrics as never, read), createGoalLog(log, read)];
  const commit = (state: RunState, ...types: JournalRecord["type"][]) => {
    for (const observer of observers)
      observer.committed({ state } as never, types.map((type) => ({ type })) as never, 1 as never);
  };
  commit(stateOf({}), "run.started", "run.limited");
  commit(stateOf({ phase: "COMPLETED", endedAt: 3_000 }), "run.opened", "task.completed", "run.completed");
  commit(stateOf({ flowId: "mine" }), "run.started");
  expect(counts).toEqual(
    ["pending", "processing", "completed"].map((status) => `octollm_orchestrator_tasks_total ${status}`),
  );
  expect(lines).toEqual([
    ["Task submitted successfully", { taskId: ID, priority: "high" }],
    ["Task processing", { taskId: ID, priority: "high" }],
    ["Task completed", { taskId: ID, priority: "high" }],
  ]);
});
