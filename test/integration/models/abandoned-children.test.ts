/** Budgets of child runs that go on without the runs above them, against a scripted provider. */
import { expect, test } from "vitest";
import { BudgetService } from "../../../src/gen/orchestrator/v1/budget_service_pb.ts";
import { RunState } from "../../../src/gen/orchestrator/v1/run_pb.ts";
import { RunService } from "../../../src/gen/orchestrator/v1/run_service_pb.ts";
import { eventually } from "../../support/eventually.ts";
import { openModelBed } from "../../support/model-service.ts";

test.each([{ deleted: false }, { deleted: true }])(
  "an abandoned child run stays within the budget above it, whose raise lets it go on (root deleted: $deleted)",
  async ({ deleted }) => {
    const bed = await openModelBed();
    const ask = 'type: ai, parameters: {prompt: "hello"}';
    await bed.register("kid", `  tasks: [{id: a, ${ask}}, {id: b, ${ask}, depends_on: [a]}]`);
    const child = "{id: k, type: subflow, parameters: {flow_id: kid, close_policy: abandon}}";
    await bed.register("middle", `  tasks: [${child}]`);
    const tasks = "[{id: m, type: subflow, parameters: {flow_id: middle}}]";
    await bed.register("boss", `  budget: {max_tokens: 1200}\n  tasks: ${tasks}`);
    const runId = await bed.start("boss");
    const request = await bed.models.next();
    await bed.client.call(RunService.method.cancelRun, { runId });
    await bed.reaches(runId, RunState.CANCELED);
    request.say("hi", { usage: { input: 100, output: 200 } });
    const kid = await eventually(async () => {
      const { runs } = await bed.client.call(RunService.method.listRuns, { filter: 'flow_id == "kid"' });
      expect(runs[0]?.state).toBe(RunState.SUSPENDED);
      return runs[0]?.runId ?? "";
    });
    if (deleted) await bed.client.call(RunService.method.deleteRun, { runId });
    const budgetId = `run.${runId}`;
    const { budget } = await bed.client.call(BudgetService.method.getBudget, { budgetId });
    expect(budget).toMatchObject({ settledTokens: 300n, reservedTokens: 0n, waitingRunCount: 1 });
    bed.models.script((next) => next.say("hi"));
    await bed.client.call(BudgetService.method.raiseBudget, { budgetId, maxTokens: 5_000n });
    await bed.reaches(kid, RunState.COMPLETED);
    const after = bed.client.call(BudgetService.method.getBudget, { budgetId });
    // Nothing is left that spends it.
    if (deleted) await expect(after).rejects.toMatchObject({ code: "BUDGET_NOT_FOUND" });
    else expect((await after).budget).toMatchObject({ settledTokens: 315n, waitingRunCount: 0 });
  },
);
