/** Budgets of calls to models, against a scripted provider. A call reserves its input and 1,000 tokens of output. */
import { expect, test } from "vitest";
import { UsageGroup } from "../../../src/gen/orchestrator/v1/budget_pb.ts";
import { BudgetService } from "../../../src/gen/orchestrator/v1/budget_service_pb.ts";
import { RunEventKind } from "../../../src/gen/orchestrator/v1/run_event_pb.ts";
import { RunState, TaskState } from "../../../src/gen/orchestrator/v1/run_pb.ts";
import { RunService } from "../../../src/gen/orchestrator/v1/run_service_pb.ts";
import { eventually } from "../../support/eventually.ts";
import { type ModelBed, openModelBed } from "../../support/model-service.ts";

const { method } = BudgetService;

const ASK = 'type: ai, parameters: {prompt: "hello"}';

async function budgetOf({ client }: ModelBed, budgetId: string) {
  const { budget } = await client.call(method.getBudget, { budgetId });
  if (budget === undefined) throw new Error(`there is no budget ${budgetId}`);
  return budget;
}

test("a run whose budget is used up is held, says why, and goes on where it stopped once it is raised", async () => {
  const bed = await openModelBed();
  const tasks = `  budget: {max_cost_usd: 0.0021}\n  tasks: [{id: a, ${ASK}}, {id: b, ${ASK}, depends_on: [a]}]`;
  await bed.register("two", tasks);
  bed.models.script((request) => request.say("hi", { usage: { input: 100, output: 200 } }));
  const runId = await bed.start("two");
  await bed.reaches(runId, RunState.SUSPENDED);
  // 100 × $1 + 200 × $2 a million.
  const budget = await budgetOf(bed, `run.${runId}`);
  expect(budget).toMatchObject({
    ...{ maxCostMicros: 2_100n, settledCostMicros: 500n, settledTokens: 300n },
    ...{ reservedCostMicros: 0n, reservedTokens: 0n, waitingRunCount: 1 },
  });
  expect(budget.maxTokens).toBeUndefined();
  const { run } = await bed.client.call(RunService.method.getRun, { runId, readMask: { paths: ["holds"] } });
  expect(run?.holds[0]?.reason).toMatch(
    new RegExp(`may cost \\$0\\.002\\d+, and the budget of run ${runId} has \\$0\\.0016 of \\$0\\.0021 left: raise`),
  );
  // Cause: the diagnosis named ResumeRun, after which the run is held again.
  const { findings } = await bed.client.call(RunService.method.diagnoseRun, { runId });
  expect(findings[0]?.method).toBe("BudgetService.RaiseBudget");
  // A restart changes nothing, and neither does a look by hand without a raise.
  await bed.restart();
  await bed.client.call(RunService.method.resumeRun, { runId });
  expect(bed.models.count()).toBe(1);
  const lower = bed.client.call(method.raiseBudget, { budgetId: `run.${runId}`, maxCostMicros: 2_000n });
  await expect(lower).rejects.toMatchObject({ code: "BUDGET_NOT_RAISED" });
  await bed.client.call(method.raiseBudget, { budgetId: `run.${runId}`, maxCostMicros: 5_000n, reason: "worth it" });
  await bed.reaches(runId, RunState.COMPLETED);
  expect(bed.models.count()).toBe(2);
  expect(await budgetOf(bed, `run.${runId}`)).toMatchObject({
    ...{ maxCostMicros: 5_000n, settledCostMicros: 1_000n, waitingRunCount: 0, reason: "worth it" },
  });
  const { lines } = await bed.client.call(method.listUsage, { groupBy: [UsageGroup.FLOW, UsageGroup.MODEL] });
  expect(lines).toMatchObject([
    { flowId: "two", model: "open/small", callCount: 2, inputTokens: 200n, outputTokens: 400n, costMicros: 1_000n },
  ]);
});

test("calls at once never reserve more than there is: the others wait for the first to settle", async () => {
  const bed = await openModelBed();
  const asks = Array.from({ length: 4 }, (_, index) => `{id: t${index}, ${ASK}}`).join(", ");
  await bed.register("fan", `  budget: {max_tokens: 2500}\n  tasks: [${asks}]`);
  const runId = await bed.start("fan");
  const first = [await bed.models.next(), await bed.models.next()];
  // Two calls are under way, and a third one may use 1,000 tokens more.
  await eventually(async () => expect((await metricsOf(bed)).includes('scope="run",result="deferred"')).toBe(true));
  const { reservedTokens } = await budgetOf(bed, `run.${runId}`);
  expect(Number(reservedTokens)).toBeLessThanOrEqual(2_500);
  expect(bed.models.count()).toBe(2);
  for (const request of first) request.say("hi");
  for (let left = 2; left > 0; left--) (await bed.models.next()).say("hi");
  await bed.reaches(runId, RunState.COMPLETED);
  expect(await budgetOf(bed, `run.${runId}`)).toMatchObject({ settledTokens: 60n, reservedTokens: 0n });
});

test("a call that is lost in a crash is charged in full, and its repetition once more", async () => {
  const bed = await openModelBed();
  await bed.register("ask", `  budget: {max_tokens: 100000}\n  tasks: [{id: q, ${ASK}}]`);
  const runId = await bed.start("ask");
  const lost = await bed.models.next();
  const { reservedTokens } = await budgetOf(bed, `run.${runId}`);
  expect(Number(reservedTokens)).toBeGreaterThan(1_000);
  await bed.restart("SIGKILL");
  const again = await bed.models.next();
  expect(again.headers["idempotency-key"]).toBe(lost.headers["idempotency-key"]);
  again.say("hi");
  await bed.reaches(runId, RunState.COMPLETED);
  const settled = await budgetOf(bed, `run.${runId}`);
  expect(settled).toMatchObject({ settledTokens: reservedTokens + 15n, reservedTokens: 0n });
  const { lines } = await bed.client.call(method.listUsage, { groupBy: [UsageGroup.RUN] });
  expect(lines).toMatchObject([{ runId, callCount: 2, estimatedCallCount: 1 }]);
  expect(await metricsOf(bed)).toMatch(/^orchestrator_budget_abandoned_calls_total 1$/m);
});

test("child runs spend the budget of the run above, and the budget of the tenant is over all", async () => {
  const bed = await openModelBed();
  bed.models.script((request) => request.say("hi"));
  await bed.register("kid", `  tasks: [{id: q, ${ASK}}]`);
  await bed.register(
    "boss",
    "  budget: {max_tokens: 1100}\n  tasks: [{id: k, type: map, parameters: {items: [1, 2, 3], max_concurrency: 1, task: {type: subflow, parameters: {flow_id: kid}}}}]",
  );
  const { budget } = await bed.client.call(method.putBudget, { budgetId: "tenant", maxTokens: 1_000n, reason: "lent" });
  expect(budget).toMatchObject({ budgetId: "tenant", maxTokens: 1_000n, settledTokens: 0n, reason: "lent" });
  const runId = await bed.start("boss");
  await eventually(async () => expect((await budgetOf(bed, "tenant")).waitingRunCount).toBe(1));
  await bed.client.call(method.putBudget, { budgetId: "tenant", maxTokens: 1_000_000n });
  await bed.reaches(runId, RunState.COMPLETED);
  expect(await budgetOf(bed, `run.${runId}`)).toMatchObject({ settledTokens: 45n, maxTokens: 1_100n });
  expect(await budgetOf(bed, "tenant")).toMatchObject({ settledTokens: 45n, waitingRunCount: 0 });
  const page = await bed.client.call(method.listBudgets, { pageSize: 1 });
  const rest = await bed.client.call(method.listBudgets, { pageSize: 1, pageToken: page.nextPageToken });
  expect([...page.budgets, ...rest.budgets].map(({ budgetId }) => budgetId)).toEqual([`run.${runId}`, "tenant"]);
});

test("a task gives its child run a part: it is held there while the run above goes on, and a raise of it is enough", async () => {
  const bed = await openModelBed();
  bed.models.script((request) => request.say("hi"));
  await bed.register("kid", `  budget: {max_tokens: 5000}\n  tasks: [{id: q, ${ASK}, retry_policy: {max_retries: 9}}]`);
  const part =
    'parameters: {flow_id: kid, budget: {max_tokens: "${vars.tokens * 90 / 100}", max_cost_usd: "${vars.usd}"}}';
  const head = "variables: [{name: tokens, type: integer}, {name: usd, type: number}]\n";
  const tasks = `  budget: {max_tokens: 40000}\n  tasks: [{id: k, type: subflow, ${part}}, {id: own, ${ASK}, retry_policy: {max_retries: 9}}]\n  output: "\${[k.output, own.output.content]}"`;
  await bed.register("boss", tasks, head);
  const runId = await bed.start("boss", { tokens: 1_000, usd: 0.5 });
  const kid = await eventually(async () => {
    const { runs } = await bed.client.call(RunService.method.listRuns, { filter: 'flow_id == "kid"' });
    expect(runs[0]?.state).toBe(RunState.SUSPENDED);
    return runs[0]?.runId ?? "";
  });
  // The run above is not held, and its own call is paid.
  await eventually(
    async () => {
      const { task } = await bed.client.call(RunService.method.getRunTask, { runId, taskId: "own" });
      expect([task?.state, task?.error?.message]).toEqual([TaskState.COMPLETED, undefined]);
      expect((await budgetOf(bed, `run.${runId}`)).settledTokens).toBeGreaterThanOrEqual(15n);
    },
    { timeoutMs: 60_000 },
  );
  expect(await budgetOf(bed, `run.${kid}`)).toMatchObject({ maxTokens: 900n, maxCostMicros: 500_000n });
  await bed.client.call(method.raiseBudget, { budgetId: `run.${kid}`, maxTokens: 20_000n });
  await bed.reaches(runId, RunState.COMPLETED);
  const { settledTokens } = await budgetOf(bed, `run.${kid}`);
  const above = await budgetOf(bed, `run.${runId}`);
  expect(settledTokens).toBeGreaterThanOrEqual(15n);
  expect(above.settledTokens).toBeGreaterThanOrEqual(settledTokens + 15n);
  expect(above.maxTokens).toBe(40_000n);
  // What is no amount fails the task.
  const wrong = await bed.reaches(await bed.start("boss", { tokens: -100, usd: 0.5 }), RunState.FAILED);
  expect(wrong.error?.message).toMatch(/parameters\.budget\.max_tokens/);
});

test("a model without a price is refused where a budget limits the cost, and counts tokens elsewhere", async () => {
  const bed = await openModelBed();
  bed.models.script((request) => request.say("hi"));
  const free = 'type: ai, parameters: {prompt: "hello", model: free, max_tokens: 100}';
  const known = bed.register("known", `  budget: {max_cost_usd: 1}\n  tasks: [{id: q, ${free}}]`);
  await expect(known).rejects.toThrow(/model free has no price/);
  // Which model it is, is not known before the call.
  const late = free.replace("model: free", 'model: "${vars.m}"');
  const head = "variables: [{name: m, type: string, default: free}]\n";
  await bed.register("costs", `  budget: {max_cost_usd: 1}\n  tasks: [{id: q, ${late}}]`, head);
  await bed.register("counts", `  budget: {max_tokens: 10000}\n  tasks: [{id: q, ${free}}]`);
  const refused = await bed.reaches(await bed.start("costs"), RunState.FAILED);
  expect(refused.error?.message).toMatch(/model free of provider open has no price/);
  const runId = await bed.start("counts");
  await bed.reaches(runId, RunState.COMPLETED);
  expect(await budgetOf(bed, `run.${runId}`)).toMatchObject({ settledTokens: 15n, settledCostMicros: 0n });
  expect(bed.models.count()).toBe(1);
});

test("compensation does not need the budget of its run", async () => {
  const bed = await openModelBed();
  bed.models.script((request) => request.say("undone"));
  const tasks = [
    "{id: a, type: noop, compensate_with: undo}",
    '{id: b, type: transform, depends_on: [a], parameters: {output: "${1 / 0}"}}',
    `{id: undo, ${ASK}}`,
  ];
  await bed.register("back", `  budget: {max_tokens: 10}\n  tasks: [${tasks.join(", ")}]`);
  await bed.reaches(await bed.start("back"), RunState.FAILED);
  expect(bed.models.count()).toBe(1);
});

// Cause: a plan of a goal spent without a limit as soon as it undid what it had done.
test("compensation spends a budget that says so, waits for a raise of it, and models without a price spend tokens", async () => {
  const bed = await openModelBed();
  bed.models.script((request) => request.say("undone"));
  const tasks = [
    "{id: a, type: noop, compensate_with: undo}",
    '{id: b, type: transform, depends_on: [a], parameters: {output: "${1 / 0}"}}',
    '{id: undo, type: ai, parameters: {prompt: hello, model: "${vars.model}", max_tokens: 100}}',
  ];
  const budget = "{max_tokens: 10, max_cost_usd: 0, unpriced: tokens_only, compensation: true}";
  const head = "variables: [{name: model, required: true}]\n";
  await bed.register("charged", `  budget: ${budget}\n  tasks: [${tasks.join(", ")}]`, head);
  const runId = await bed.start("charged", { model: "free" });
  const budgetId = `run.${runId}`;
  await eventually(async () => {
    const { run } = await bed.client.call(RunService.method.getRun, { runId, readMask: { paths: ["holds"] } });
    expect(run?.holds[0]?.reason).toMatch(/^a call may use \d+ tokens/);
  });
  expect(bed.models.count()).toBe(0);
  await bed.client.call(method.raiseBudget, { budgetId, maxTokens: 1_000n });
  await bed.reaches(runId, RunState.FAILED);
  expect(bed.models.count()).toBe(1);
  expect(await budgetOf(bed, budgetId)).toMatchObject({ settledTokens: 15n, settledCostMicros: 0n });
});

// Cause: the attempt began again after the raise, and paid for its first call once more.
test("an answer that is to be repaired is not paid for again when the budget of the repair is raised", async () => {
  const bed = await openModelBed();
  const schema = "{type: object, required: [a]}";
  const ask = `{id: q, type: ai, parameters: {prompt: hello, response_format: {type: json, schema: ${schema}}}}`;
  await bed.register("repaired", `  budget: {max_tokens: 2000}\n  tasks: [${ask}]`);
  bed.models.script((request) => {
    const isRepair = request.body.messages.some(({ role }) => role === "assistant");
    request.say(isRepair ? '{"a": 1}' : "{}", { usage: { input: 300, output: 900 } });
  });
  const runId = await bed.start("repaired");
  await bed.reaches(runId, RunState.SUSPENDED);
  expect(await budgetOf(bed, `run.${runId}`)).toMatchObject({ settledTokens: 1_200n });
  await bed.restart("SIGKILL");
  await bed.client.call(method.raiseBudget, { budgetId: `run.${runId}`, maxTokens: 9_000n });
  await bed.reaches(runId, RunState.COMPLETED);
  expect(bed.models.count()).toBe(2);
  expect(await budgetOf(bed, `run.${runId}`)).toMatchObject({ settledTokens: 2_400n });
});

// Cause: each look at a fallback that a budget or a switch held up asked the first model once more.
test("a call that failed is not paid for again when the budget of the fallback is raised", async () => {
  const bed = await openModelBed();
  const fallback = "fallback: [{provider: claude, model: haiku, on: [CONTENT_REFUSED]}]";
  const ask = `{id: q, type: ai, parameters: {prompt: hello, ${fallback}}}`;
  await bed.register("fallen", `  budget: {max_tokens: 2000}\n  tasks: [${ask}]`);
  bed.models.script(({ protocol, say }) => {
    const finishReason = protocol === "openai" ? "content_filter" : "end_turn";
    say("hm", { finishReason, usage: { input: 300, output: 900 } });
  });
  const runId = await bed.start("fallen");
  await bed.reaches(runId, RunState.SUSPENDED);
  expect(await budgetOf(bed, `run.${runId}`)).toMatchObject({ settledTokens: 1_200n });
  await bed.client.call(method.raiseBudget, { budgetId: `run.${runId}`, maxTokens: 9_000n });
  await bed.reaches(runId, RunState.COMPLETED);
  expect(bed.models.count()).toBe(2);
  expect(await budgetOf(bed, `run.${runId}`)).toMatchObject({ settledTokens: 2_110n });
});

test("the run that spends four fifths of a budget has an event that says so, once", async () => {
  const bed = await openModelBed();
  const asks = Array.from({ length: 4 }, (_, index) => `{id: t${index}, ${ASK}}`).join(", ");
  await bed.register("warned", `  budget: {max_tokens: 5000}\n  tasks: [${asks}]`);
  await bed.client.call(method.putBudget, { budgetId: "flow.warned", maxTokens: 6_000n });
  bed.models.script((request) => request.say("hi", { usage: { input: 100, output: 1_000 } }));
  const runId = await bed.start("warned");
  const read = async () => {
    const { events } = await bed.client.call(RunService.method.listRunEvents, { runId, pageSize: 100 });
    return events.flatMap(({ kind, attributes }) => (kind === RunEventKind.RUN_BUDGET_WARNED ? attributes : []));
  };
  await bed.reaches(runId, RunState.COMPLETED);
  expect(await read()).toEqual([
    {
      budget_id: `run.${runId}`,
      message: `the budget of run ${runId} is nearly used up: 4400 of 5000 tokens; a run that needs more waits until it is raised`,
    },
  ]);
});

async function metricsOf(bed: ModelBed): Promise<string> {
  return (await fetch(`http://127.0.0.1:${bed.service().metricsPort}/metrics`)).text();
}
