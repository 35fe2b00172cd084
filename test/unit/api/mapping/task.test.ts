import { expect, test } from "vitest";
import { indexPlan } from "../../../../src/api/mapping/plan-index.ts";
import { deadLetterOf, findTask } from "../../../../src/api/mapping/task.ts";
import type { JsonObject } from "../../../../src/base/json/json.ts";
import { openRun } from "../../../../src/engine/machine/run.ts";
import { advance } from "../../../../src/engine/machine/settle.ts";
import { createState, type RunState } from "../../../../src/engine/machine/state.ts";
import { compileFlow } from "../../../../src/flows/compile.ts";
import type { Plan } from "../../../../src/flows/plan.ts";

const facts = { userId: "", correlationId: "", labels: {}, runKey: "", requestId: "", context: null, parent: null };

async function play(workflow: JsonObject): Promise<{ plan: Plan; state: RunState }> {
  const { plan } = await compileFlow({ document: { id: "f", version: "1", workflow } });
  const run = openRun(createState("run"), plan);
  const start = { type: "start", at: 1, tenantId: "t", vars: {}, deadlineAt: null, startAt: null, facts } as const;
  advance(run, { ...start, signals: [] });
  return { plan, state: run.state };
}

test("ids as the author wrote them stand for the latest visit of a state and the latest run of a compensation", async () => {
  // Cause: only paths were known, and those of visits and compensations stood in no document.
  const broken = { type: "transform", parameters: { output: "${1 / 0}" } };
  const states = [
    {
      id: "a",
      task: { type: "transform", parameters: { output: 1 } },
      compensate_with: "undo",
      transitions: [{ to: "b" }],
    },
    { id: "b", transitions: [{ when: "${a.attempt == 0 && run.run_id == ''}", to: "a" }, { to: "c" }] },
    { id: "c", task: broken, transitions: [{ to: "a" }] },
  ];
  const compensations = [{ id: "undo", type: "transform", parameters: { output: "undone" } }];
  const { plan, state } = await play({ states, compensations });
  const index = indexPlan(plan);
  const pathOf = (id: string): string | undefined => findTask(state, index, id)?.path;
  expect([pathOf("a"), pathOf("a~1"), pathOf("undo"), pathOf("a~1~compensate")]).toEqual([
    "a~1",
    "a~1",
    "a~1~compensate",
    "a~1~compensate",
  ]);
  expect([pathOf("b"), pathOf("nothing"), pathOf("a~2")]).toEqual([undefined, undefined, undefined]);
});

test.each([
  [{ type: "transform", parameters: { output: "${1 / 0}" } }, "NOT_RETRYABLE"],
  [{ type: "transform", parameters: { output: "${1 / 0}" }, on_error: "continue" }, null],
  [{ type: "transform", parameters: { output: 1 } }, null],
])("%j is a dead letter: %s", async (task, reason) => {
  // Cause: a task was a dead letter in lists when its error could be retried, and in the journal when its attempts were
  // used up.
  const { state } = await play({ tasks: [{ id: "a", ...task }] });
  expect(deadLetterOf(state.tasks.get("a"))).toBe(reason);
});
