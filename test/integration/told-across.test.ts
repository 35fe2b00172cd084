/**
 * Tasks that are ended from outside, by way of an instance that does not own their run: CompleteTask, FailTask,
 * callbacks.
 */
import { expect, onTestFinished, test } from "vitest";
import type { ApiClient } from "../../src/api/client/client.ts";
import { openGrpcClient } from "../../src/api/client/grpc-client.ts";
import { FlowService } from "../../src/gen/orchestrator/v1/flow_service_pb.ts";
import { RunState } from "../../src/gen/orchestrator/v1/run_pb.ts";
import { RunService } from "../../src/gen/orchestrator/v1/run_service_pb.ts";
import { TaskReportOutcome } from "../../src/gen/orchestrator/v1/worker_pb.ts";
import { eventually } from "../support/eventually.ts";
import { holdTasks } from "../support/held-tasks.ts";
import { createTestDatabase } from "../support/postgres.ts";
import { type ServeProcess, startServeForTest } from "../support/serve-process.ts";
import { createTemporaryFolder } from "../support/temporary-folder.ts";
import { serveTool } from "../support/tool-server.ts";

const { url, database } = await createTestDatabase();
const { completeTask, failTask, getRun, startRun } = RunService.method;

const FLOW = `
id: told
version: "1"
workflow:
  tasks:
    - id: each
      type: map
      parameters:
        items: [0, 1]
        task: {type: worker, parameters: {handler: hold}, retry_policy: {max_retries: 1, initial_delay: 5s}}
  output: "\${each.outputs}"
`;

interface Instance {
  readonly service: ServeProcess;
  readonly client: ApiClient;
}

async function open(publicUrl = "http://127.0.0.1:1"): Promise<Instance> {
  const service = await startServeForTest({
    folder: createTemporaryFolder(),
    env: { DATABASE_URL: url, ORCHESTRATOR_PUBLIC_URL: publicUrl, ORCHESTRATOR_HTTP_ALLOW: "127.0.0.1" },
  });
  const client = openGrpcClient({ address: service.address });
  onTestFinished(() => client.close());
  return { service, client };
}

/** The first owns all shards until the second has come; then each has half of them, and starts runs of its own. */
async function openTwo(flow: string): Promise<readonly [Instance, Instance]> {
  const instances = [await open(), await open()] as const;
  await instances[0].client.call(FlowService.method.registerFlow, { definition: { case: "source", value: flow } });
  await eventually(
    async () => {
      const { rows } = await database.reads.query<{ owners: number }>(
        "SELECT count(DISTINCT instance_id)::int AS owners FROM orchestrator.shard_leases WHERE instance_id IS NOT NULL",
      );
      expect(rows[0]?.owners).toBe(2);
    },
    { timeoutMs: 20_000 },
  );
  return instances;
}

const json = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
const outputOf = (value: unknown) => ({ outputValue: { case: "outputJson" as const, value: json(value) } });

const startAt = async ({ client }: Instance, flowId: string): Promise<string> =>
  (await client.call(startRun, { flowId })).run?.runId ?? "";

async function completes({ client }: Instance, runId: string): Promise<unknown> {
  return eventually(
    async () => {
      const { run } = await client.call(getRun, { runId, readMask: { paths: ["state", "output_json"] } });
      expect(run?.state).toBe(RunState.COMPLETED);
      return run?.outputValue.case === "outputJson" ? JSON.parse(Buffer.from(run.outputValue.value).toString()) : null;
    },
    { timeoutMs: 30_000 },
  );
}

test("children of a map end at the word of either instance: one of two answers stands, and none between attempts", {
  timeout: 120_000,
}, async () => {
  const [owner, other] = await openTwo(FLOW);
  const runId = await startAt(owner, "told");
  const worker = await holdTasks(other.client, ["hold"]);
  const held = [await worker.next(), await worker.next()];
  for (const { taskToken } of held) await worker.report(taskToken, "acknowledged");

  const both = await Promise.allSettled(
    [owner, other].map(({ client }, by) =>
      client.call(completeTask, { runId, taskId: "each.0", ...outputOf({ by }), requestId: `by-${by}` }),
    ),
  );
  expect(both.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
  const winner = both.findIndex(({ status }) => status === "fulfilled");
  expect(both[1 - winner]).toMatchObject({ reason: { code: "TASK_STATE_INVALID" } });
  // The worker at the other instance is notified, and its own result comes too late.
  const { taskToken } = held.find(({ taskId }) => taskId === "each.0") ?? { taskToken: "" };
  expect((await worker.nextCancellation()).taskToken).toBe(taskToken);
  const late = await worker.report(taskToken, "succeeded", outputOf("late"));
  expect(late.outcome).toBe(TaskReportOutcome.ALREADY_REPORTED);

  await other.client.call(failTask, { runId, taskId: "each.1", errorType: "LOST", errorMessage: "gone" });
  for (const taskId of ["each.2", "each.-1", "each.01", "each.0.0"])
    await expect(other.client.call(completeTask, { runId, taskId }), taskId).rejects.toMatchObject({
      code: "RUN_TASK_NOT_FOUND",
    });
  const told = { runId, taskId: "each.1", ...outputOf("told") };
  await expect(other.client.call(completeTask, told)).rejects.toMatchObject({
    code: "TASK_STATE_INVALID",
    details: { state: "RETRYING", problem: "no attempt is under way until the next one begins", errorType: "LOST" },
  });
  // A worker need not have taken the next one.
  await eventually(() => other.client.call(completeTask, told), { timeoutMs: 20_000 });
  for (const instance of [owner, other]) expect(await completes(instance, runId)).toEqual([{ by: winner }, "told"]);
  for (const { client } of [owner, other])
    await expect(client.call(completeTask, { runId, taskId: "each.1", ...outputOf("more") })).rejects.toMatchObject({
      code: "RUN_FINISHED",
    });
});

test("a callback is answered by either instance, once", { timeout: 120_000 }, async () => {
  const tool = await serveTool();
  const [owner, other] = await openTwo(`
id: called
version: "1"
workflow:
  tasks:
    - id: call
      type: http
      parameters: {url: "http://${tool.address}/work", body: {to: "\${callback.url}"}, await_callback: true}
  output: "\${call.output}"
`);
  for (const starter of [owner, other]) {
    const runId = await startAt(starter, "called");
    const { body } = await tool.next();
    const { pathname } = new URL((body as { to: string }).to);
    const answer = async ({ service }: Instance, value: unknown): Promise<number> => {
      const headers = { "content-type": "application/json" };
      const sent = { method: "POST", headers, body: JSON.stringify(value) };
      return (await fetch(`http://${service.address}${pathname}`, sent)).status;
    };
    const statuses = await Promise.all([answer(owner, "first"), answer(other, "second")]);
    expect([...statuses].sort()).toEqual([200, 409]);
    const stands = statuses[0] === 200 ? "first" : "second";
    expect(await completes(other, runId)).toBe(stands);
    expect([await answer(owner, stands), await answer(other, stands), await answer(other, "more")]).toEqual([
      200, 200, 409,
    ]);
  }
});
