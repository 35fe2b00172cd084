/** What a goal that the service plans may spend, whatever its plan is. */
import { expect, test } from "vitest";
import { BudgetService } from "../../../src/gen/orchestrator/v1/budget_service_pb.ts";
import { type Goal, GoalStatus } from "../../../src/gen/orchestrator/v1/goal_pb.ts";
import { GoalService } from "../../../src/gen/orchestrator/v1/goal_service_pb.ts";
import { RunService } from "../../../src/gen/orchestrator/v1/run_service_pb.ts";
import { eventually } from "../../support/eventually.ts";
import { type ModelBed, openModelBed } from "../../support/model-service.ts";

const SLOW_MS = 120_000;
const WAIT = { timeoutMs: 60_000 };

const SETTINGS = { ORCHESTRATOR_GOALS_PLANS: "run", ORCHESTRATOR_GOALS_SERVICES: "ai" };

/** Enough for the question to who writes a plan. */
const BUDGET = { maxTokens: 100_000n, maxCostMicros: 1_000_000n };

async function submit({ client }: ModelBed, more: object = {}): Promise<string> {
  const { goal } = await client.call(GoalService.method.submitGoal, { goal: "Answer", budget: BUDGET, ...more });
  return goal?.goalId ?? "";
}

async function read({ client }: ModelBed, goalId: string): Promise<Goal> {
  const { goal } = await client.call(GoalService.method.getGoal, { goalId });
  return goal ?? expect.unreachable("no goal");
}

async function budgetOf({ client }: ModelBed, runId: string) {
  const { budget } = await client.call(BudgetService.method.getBudget, { budgetId: `run.${runId}` });
  return budget;
}

const isPlanning = (content: string): boolean => content.startsWith("Write a template");

/** Two steps, which a model undoes when the third one fails. */
const UNDONE = `id: undone
version: "1"
workflow:
  states:
    - {id: a, task: {type: noop}, compensate_with: undo_a, transitions: [{to: b}]}
    - {id: b, task: {type: noop}, compensate_with: undo_b, transitions: [{to: bad}]}
    - {id: bad, final: failed}
  compensations:
    - {id: undo_a, type: ai, parameters: {prompt: "Undo a", max_tokens: 100}}
    - {id: undo_b, type: ai, parameters: {prompt: "Undo b", max_tokens: 100}}
`;

// Cause: compensation spent no budget of a run, and a plan is written by a model.
test("what undoes a plan spends the budget of its goal, and waits for a raise of it", {
  timeout: SLOW_MS,
}, async () => {
  const bed = await openModelBed(SETTINGS);
  bed.models.script((request) => {
    const { content = "" } = request.body.messages.at(-1) ?? {};
    // The first call of the compensation takes all there is.
    if (isPlanning(content)) request.say(UNDONE);
    else request.say("undone", { usage: { input: 100_000, output: 500_000 } });
  });
  const goalId = await submit(bed);
  const spent = { settledTokens: 600_015n, settledCostMicros: 1_100_020n };
  await eventually(async () => {
    expect(await budgetOf(bed, goalId)).toMatchObject(spent);
    const { plan } = await read(bed, goalId);
    expect(plan?.waitingReason).toMatch(/^the run .* is held \(budget\): a call may (use|cost) /);
  }, WAIT);
  expect(bed.models.count()).toBe(2);
  const raised = { maxTokens: 10_000_000n, maxCostMicros: 10_000_000n, reason: "ok" };
  for (const runId of [(await read(bed, goalId)).plan?.workRunId ?? "", goalId])
    await bed.client.call(BudgetService.method.raiseBudget, { budgetId: `run.${runId}`, ...raised });
  await eventually(async () => expect((await read(bed, goalId)).status).toBe(GoalStatus.FAILED), WAIT);
  expect(bed.models.count()).toBe(3);
});

// Cause: where the judge, or who writes, had no price, no cost of the goal was limited.
test("the cost of a goal is limited, whoever has no price", { timeout: SLOW_MS }, async () => {
  const free = { ORCHESTRATOR_GENERATION_MODEL: "open/free", ORCHESTRATOR_GOALS_MODEL: "open/free" };
  const bed = await openModelBed({ ...SETTINGS, ...free });
  bed.models.script((request) => {
    const { content = "" } = request.body.messages.at(-1) ?? {};
    const ask = (model: string, more: string) =>
      `{type: ai, parameters: {prompt: "What is it?", provider: open, model: ${model}, max_tokens: 1000${more}}}`;
    const task = (id: string, model: string, after: string) => `{id: ${id}, ${ask(model, "").slice(1, -1)}${after}}`;
    const tasks = `[${task("a", "free", "")}, ${task("b", "small", ", depends_on: [a]")}]`;
    if (isPlanning(content)) request.say(`id: p\nversion: "1"\nworkflow:\n  tasks: ${tasks}\n  output: 1\n`);
    else request.say("42");
  });
  const goalId = await submit(bed, { budget: { maxTokens: 100_000n, maxCostMicros: 100n } });
  await eventually(async () => {
    const { plan } = await read(bed, goalId);
    expect(plan?.waitingReason).toMatch(/a call may cost \$0\.00\d+, and the budget of run .* has \$0\.00009 of/);
  }, WAIT);
  // The plan, and the task that a model without a price did.
  expect(bed.models.count()).toBe(2);
  expect(await budgetOf(bed, goalId)).toMatchObject({ settledCostMicros: 0n, settledTokens: 30n });
});

/** A plan whose result is long, so that the judge needs more than is left. */
const LONG = `id: long
version: "1"
workflow:
  tasks: [{id: a, type: noop}]
  output: "${"word ".repeat(3_000)}"
`;

test("a goal that its judge has no budget for says so; a result from outside is refused", {
  timeout: SLOW_MS,
}, async () => {
  const bed = await openModelBed({ ...SETTINGS, ORCHESTRATOR_GOALS_MODEL: "open/small" });
  bed.models.script((request) => {
    const { content = "" } = request.body.messages.at(-1) ?? {};
    if (isPlanning(content)) request.say(LONG, { usage: { input: 5_000, output: 4_000 } });
  });
  const goalId = await submit(bed, { budget: { maxTokens: 10_500n }, acceptanceCriteria: ["it is long"] });
  // Cause: the signal was taken, and nothing ever read it.
  const value = Buffer.from('{"output": 4, "confidence": 1}');
  const signal = { runId: goalId, signalName: "result", dataValue: { case: "dataJson" as const, value } };
  await expect(bed.client.call(RunService.method.signalRun, signal)).rejects.toMatchObject({
    code: "INVALID_REQUEST",
    message: expect.stringContaining("this run of the flow orchestrator-goal waits for no signal result"),
  });
  // Cause: only what held the plan was shown.
  await eventually(async () => {
    const { pendingReason, status } = await read(bed, goalId);
    expect([status, pendingReason]).toEqual([GoalStatus.PROCESSING, expect.stringMatching(/^it is held \(budget\): /)]);
  }, WAIT);
});
