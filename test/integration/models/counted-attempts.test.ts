/** Budgets of steps and time: attempts of a run and its child runs are counted, wherever they are made. */
import { expect, test } from "vitest";
import type { Budget } from "../../../src/gen/orchestrator/v1/budget_pb.ts";
import { BudgetService } from "../../../src/gen/orchestrator/v1/budget_service_pb.ts";
import { RunState } from "../../../src/gen/orchestrator/v1/run_pb.ts";
import { RunService } from "../../../src/gen/orchestrator/v1/run_service_pb.ts";
import { eventually } from "../../support/eventually.ts";
import { openModelBed } from "../../support/model-service.ts";
import { startWorker } from "../../support/worker.ts";
import { openWorkerBed, type WorkerBed } from "../../support/worker-service.ts";

const { method } = BudgetService;

async function budgetOf({ client }: WorkerBed, budgetId: string): Promise<Budget> {
  const { budget } = await client.call(method.getBudget, { budgetId });
  if (budget === undefined) throw new Error(`there is no budget ${budgetId}`);
  return budget;
}

async function whyHeld({ client }: WorkerBed, runId: string): Promise<string> {
  const { run } = await client.call(RunService.method.getRun, { runId, readMask: { paths: ["holds"] } });
  return run?.holds.map(({ reason }) => reason).join("; ") ?? "";
}

test("a run takes as many steps as its budget has, says what it lacks, and goes on there after a raise", async () => {
  const bed = await openWorkerBed();
  await bed.register(
    "steps",
    "  budget: {max_steps: 3}\n  tasks: [{id: a, type: map, parameters: {items: [1, 2], task: {type: noop}}}, {id: b, type: noop, depends_on: [a]}, {id: c, type: noop, depends_on: [b]}]",
  );
  const runId = await bed.start("steps");
  await bed.reaches(runId, RunState.SUSPENDED);
  expect(await whyHeld(bed, runId)).toBe(
    `an attempt is a step, and the budget of run ${runId} has 0 of 3 left: raise the budget to let the run go on`,
  );
  expect(await budgetOf(bed, `run.${runId}`)).toMatchObject({
    ...{ maxStepCount: 3n, settledStepCount: 3n, reservedStepCount: 0n, waitingRunCount: 1 },
  });
  await bed.restart();
  await bed.client.call(method.raiseBudget, { budgetId: `run.${runId}`, maxStepCount: 4n, reason: "one more" });
  await bed.reaches(runId, RunState.COMPLETED);
  // It is settled after the end of the attempt.
  await eventually(async () =>
    expect(await budgetOf(bed, `run.${runId}`)).toMatchObject({ settledStepCount: 4n, waitingRunCount: 0 }),
  );
});

test("child runs take the steps of the run above, and a run without such a budget has no row", async () => {
  const bed = await openWorkerBed();
  await bed.register("kid", "  tasks: [{id: q, type: noop}]");
  const kids =
    "{id: k, type: map, parameters: {items: [1, 2, 3, 4], task: {type: subflow, parameters: {flow_id: kid}}}}";
  await bed.register("boss", `  budget: {max_steps: 3}\n  tasks: [${kids}]`);
  const alone = await bed.start("kid");
  await bed.reaches(alone, RunState.COMPLETED);
  await expect(budgetOf(bed, `run.${alone}`)).rejects.toMatchObject({ code: "BUDGET_NOT_FOUND" });
  const runId = await bed.start("boss");
  await eventually(async () =>
    expect(await budgetOf(bed, `run.${runId}`)).toMatchObject({ settledStepCount: 3n, waitingRunCount: 1 }),
  );
  await bed.client.call(method.raiseBudget, { budgetId: `run.${runId}`, maxStepCount: 10n });
  await bed.reaches(runId, RunState.COMPLETED);
  await eventually(async () => expect(await budgetOf(bed, `run.${runId}`)).toMatchObject({ settledStepCount: 4n }));
});

test("an attempt that is lost in a crash is a step, and so is its repetition", async () => {
  const bed = await openModelBed();
  await bed.register(
    "ask",
    "  budget: {max_steps: 9, max_time: 1h}\n  tasks: [{id: q, type: ai, parameters: {prompt: hi}}]",
  );
  const runId = await bed.start("ask");
  await bed.models.next();
  expect(await budgetOf(bed, `run.${runId}`)).toMatchObject({ settledStepCount: 0n, reservedStepCount: 1n });
  await bed.restart("SIGKILL");
  (await bed.models.next()).say("hi");
  await bed.reaches(runId, RunState.COMPLETED);
  await eventually(async () =>
    expect(await budgetOf(bed, `run.${runId}`)).toMatchObject({ settledStepCount: 2n, reservedStepCount: 0n }),
  );
  const { settledTime, reservedTime } = await budgetOf(bed, `run.${runId}`);
  expect(reservedTime).toMatchObject({ seconds: 0n, nanos: 0 });
  // No more than since it began: not the hour that it had reserved.
  expect(Number(settledTime?.seconds)).toBeLessThan(120);
});

test("an attempt ends when the time of its budget is over, and is made again after a raise; waiting costs none", async () => {
  const bed = await openModelBed();
  const tasks =
    "[{id: w, type: wait, parameters: {duration: 1500ms}}, {id: q, type: ai, depends_on: [w], parameters: {prompt: hi}}]";
  await bed.register("timed", `  budget: {max_time: 4s}\n  tasks: ${tasks}`);
  const runId = await bed.start("timed");
  const cut = await bed.models.next();
  await cut.closed;
  await bed.reaches(runId, RunState.SUSPENDED);
  expect(await whyHeld(bed, runId)).toContain("an attempt takes time, and the budget of run");
  expect(await budgetOf(bed, `run.${runId}`)).toMatchObject({
    ...{ maxTime: { seconds: 4n }, settledTime: { seconds: 4n, nanos: 0 }, reservedTime: { seconds: 0n } },
  });
  await bed.client.call(method.raiseBudget, { budgetId: `run.${runId}`, maxTime: { seconds: 60n } });
  (await bed.models.next()).say("hi");
  await bed.reaches(runId, RunState.COMPLETED);
});

test("tasks of workers are counted, keep their step over a crash of the service, and wait for room", async () => {
  const bed = await openWorkerBed();
  const one = (id: string): string => `{id: ${id}, type: worker, parameters: {handler: h}}`;
  await bed.register(
    "away",
    `  budget: {max_steps: 2, max_time: 1h}\n  tasks: [${one("a")}, ${one("b")}, ${one("c")}]`,
  );
  const runId = await bed.start("away");
  const done: (() => void)[] = [];
  const worker = startWorker(bed.client, {
    h: async ({ acknowledge }) => {
      await acknowledge();
      await new Promise<void>((resolve) => done.push(resolve));
    },
  });
  // Without a timeout, the first one has all the time that there is.
  await eventually(() => expect(done).toHaveLength(1));
  expect(await budgetOf(bed, `run.${runId}`)).toMatchObject({ reservedStepCount: 1n });
  await bed.restart("SIGKILL");
  await eventually(async () =>
    expect(await budgetOf(bed, `run.${runId}`)).toMatchObject({ settledStepCount: 0n, reservedStepCount: 1n }),
  );
  done[0]?.();
  await eventually(() => expect(done).toHaveLength(2), { timeoutMs: 30_000 });
  done[1]?.();
  await bed.reaches(runId, RunState.SUSPENDED);
  expect(await budgetOf(bed, `run.${runId}`)).toMatchObject({ settledStepCount: 2n, reservedStepCount: 0n });
  await bed.client.call(method.raiseBudget, { budgetId: `run.${runId}`, maxStepCount: 3n });
  await eventually(() => expect(done).toHaveLength(3), { timeoutMs: 30_000 });
  done[2]?.();
  await bed.reaches(runId, RunState.COMPLETED);
  await worker.kill();
});

test("budgets of flows, of the tenant, and of runs that count nothing refuse limits of steps and time", async () => {
  const bed = await openWorkerBed();
  const refusal = {
    code: "INVALID_REQUEST",
    message: expect.stringContaining("only the budget of a run limits steps"),
  };
  for (const budgetId of ["flow.f", "tenant"])
    await expect(bed.client.call(method.putBudget, { budgetId, maxStepCount: 1n })).rejects.toMatchObject(refusal);
  const late = bed.client.call(method.putBudget, { budgetId: "tenant", maxTime: { seconds: 1n } });
  await expect(late).rejects.toMatchObject({ message: expect.stringMatching(/max_time: only the budget of a run/) });
});
