/** Goals that are planned by a fleet whose settings differ, and whose owner dies. */
import { expect, onTestFinished, test } from "vitest";
import type { ApiClient } from "../../../src/api/client/client.ts";
import { openGrpcClient } from "../../../src/api/client/grpc-client.ts";
import { ApprovalDecision } from "../../../src/gen/orchestrator/v1/approval_pb.ts";
import { ApprovalService } from "../../../src/gen/orchestrator/v1/approval_service_pb.ts";
import { type Goal, GoalStatus } from "../../../src/gen/orchestrator/v1/goal_pb.ts";
import { GoalService } from "../../../src/gen/orchestrator/v1/goal_service_pb.ts";
import { RunState } from "../../../src/gen/orchestrator/v1/run_pb.ts";
import { RunService } from "../../../src/gen/orchestrator/v1/run_service_pb.ts";
import { eventually } from "../../support/eventually.ts";
import { serveModels } from "../../support/model-server.ts";
import { createTestDatabase } from "../../support/postgres.ts";
import { type ServeProcess, startServeForTest } from "../../support/serve-process.ts";
import { createTemporaryFolder } from "../../support/temporary-folder.ts";

const WAIT = { timeoutMs: 90_000 };

const PLAN =
  'id: p\nversion: "1"\nworkflow: {tasks: [{id: a, type: transform, parameters: {output: 42}}], output: "${a.output}"}\n';

const { url, database } = await createTestDatabase();

interface Instance {
  readonly service: ServeProcess;
  readonly client: ApiClient;
}

async function open(models: string, plans: string): Promise<Instance> {
  const facts = { input_price_per_mtok: 1, output_price_per_mtok: 2, max_output_tokens: 1_000 };
  const provider = { kind: "openai", base_url: `${models}/v1`, api_key: "secret://models", models: { small: facts } };
  const service = await startServeForTest({
    folder: createTemporaryFolder(),
    env: {
      DATABASE_URL: url,
      ORCHESTRATOR_SECRET_MODELS: "key",
      ORCHESTRATOR_MODELS_DEFAULT_PROVIDER: "open",
      ORCHESTRATOR_MODELS_PROVIDERS: JSON.stringify({ open: provider }),
      ORCHESTRATOR_GOALS_PLANS: plans,
    },
  });
  const client = openGrpcClient({ address: service.address });
  onTestFinished(() => client.close());
  return { service, client };
}

async function submit({ client }: Instance): Promise<string> {
  const budget = { maxTokens: 100_000n };
  const { goal } = await client.call(GoalService.method.submitGoal, { goal: "Answer", budget });
  return goal?.goalId ?? "";
}

async function read({ client }: Instance, goalId: string): Promise<Goal> {
  const { goal } = await client.call(GoalService.method.getGoal, { goalId });
  return goal ?? expect.unreachable("no goal");
}

test("a goal keeps the settings of who accepted it, across the death of its owner, and ends once", {
  timeout: 240_000,
}, async () => {
  const models = await serveModels();
  models.script((request) => request.say(PLAN));
  const asks = await open(models.url, "ask");
  const runs = await open(models.url, "run");
  await eventually(async () => {
    const { rows } = await database.reads.query<{ owners: number }>(
      "SELECT count(DISTINCT instance_id)::int AS owners FROM orchestrator.shard_leases WHERE instance_id IS NOT NULL",
    );
    expect(rows[0]?.owners).toBe(2);
  }, WAIT);

  const asked = await submit(asks);
  const free = await submit(runs);
  await eventually(async () => expect((await read(asks, free)).status).toBe(GoalStatus.COMPLETED), WAIT);
  // Anybody shows the plan of a goal of the other one.
  await eventually(async () => expect((await read(runs, asked)).plan?.approvalId).toMatch(/./), WAIT);
  const canceled = await submit(asks);
  await eventually(async () => expect((await read(runs, canceled)).plan?.approvalId).toMatch(/./), WAIT);

  asks.service.child.kill("SIGKILL");
  const plan = await eventually(async () => {
    const { plan: found } = await read(runs, asked);
    expect(found).toMatchObject({ text: PLAN, runId: "", approvalId: expect.stringMatching(/./) });
    return found;
  }, WAIT);
  const value = Buffer.from(JSON.stringify({ plan_hash: plan?.planHash }));
  // Shards of the dead instance come one after the other.
  const again = <T>(call: () => Promise<T>): Promise<T> => eventually(call, WAIT);
  const decision = {
    ...{
      requestId: "decide",
      runId: plan?.workRunId ?? "",
      approvalId: plan?.approvalId ?? "",
      decision: ApprovalDecision.APPROVED,
    },
    dataValue: { case: "dataJson" as const, value },
  };
  await again(() => runs.client.call(ApprovalService.method.decideApproval, decision));
  await eventually(async () => expect((await read(runs, asked)).status).toBe(GoalStatus.COMPLETED), WAIT);
  expect(models.count()).toBe(3);

  // Who cancels a goal cancels what does it, and nobody can approve its plan any more.
  const cancellation = { runId: canceled, reason: "not needed", requestId: "cancel" };
  await again(() => runs.client.call(RunService.method.cancelRun, cancellation));
  await eventually(async () => {
    const { status, plan: left } = await read(runs, canceled);
    expect([status, left?.approvalId]).toEqual([GoalStatus.CANCELLED, ""]);
    const { run } = await runs.client.call(RunService.method.getRun, { runId: left?.workRunId ?? "" });
    expect(run?.state).toBe(RunState.CANCELED);
  }, WAIT);
});
