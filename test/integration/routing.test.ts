/** Routed tasks against a real service and a real droplet: crashes, callers that leave, and what other lists show. */
import { randomUUID } from "node:crypto";
import { toJson } from "@bufbuild/protobuf";
import { ValueSchema } from "@bufbuild/protobuf/wkt";
import { expect, onTestFinished, test } from "vitest";
import { openGrpcClient } from "../../src/api/client/grpc-client.ts";
import { FlowService } from "../../src/gen/orchestrator/v1/flow_service_pb.ts";
import { RoutedTaskState } from "../../src/gen/orchestrator/v1/routed_task_pb.ts";
import { RoutingService } from "../../src/gen/orchestrator/v1/routing_service_pb.ts";
import { RunState } from "../../src/gen/orchestrator/v1/run_pb.ts";
import { RunService } from "../../src/gen/orchestrator/v1/run_service_pb.ts";
import { ToolService } from "../../src/gen/orchestrator/v1/tool_service_pb.ts";
import { TriggerService } from "../../src/gen/orchestrator/v1/trigger_service_pb.ts";
import { type Droplet, startDroplet } from "../support/droplet.ts";
import { eventually } from "../support/eventually.ts";
import { createTestDatabase } from "../support/postgres.ts";
import { startServeForTest } from "../support/serve-process.ts";
import { createTemporaryFolder } from "../support/temporary-folder.ts";
import { openWorkerBed, type WorkerBed } from "../support/worker-service.ts";

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

async function openBed(env: Readonly<Record<string, string>> = {}): Promise<{ bed: WorkerBed; droplet: Droplet }> {
  const droplet = await startDroplet();
  onTestFinished(() => droplet.stop());
  return { droplet, bed: await openWorkerBed({ REGISTRY_URL: droplet.url, ...env }) };
}

async function post({ address }: WorkerBed, body: object, more: RequestInit = {}) {
  const response = await fetch(`http://${address}/orchestrator/tasks`, {
    method: "POST",
    headers: { "content-type": "application/json", ...more.headers },
    body: JSON.stringify(body),
    ...(more.signal === undefined ? {} : { signal: more.signal }),
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

test("a task survives a kill during its backoff; the same key returns it; lists of runs hide it", async () => {
  const { bed, droplet } = await openBed();
  const order = { droplet_name: "registry", method: "GET", path: "/flaky/kill/2", meta: { requested_by: "test" } };
  const headers = { "idempotency-key": "kill-1" };
  const first = post(bed, order, { headers }).catch(() => "the connection ended");
  await eventually(async () => expect(await droplet.calls("/flaky/kill/2")).toBe(2), { timeoutMs: 20_000 });
  await bed.restart();
  expect(await first).toBe("the connection ended");

  const { status, body } = await post(bed, order, { headers });
  expect([status, body]).toEqual([
    200,
    {
      task_id: expect.stringMatching(UUID),
      status: "success",
      target_url: `${droplet.url}/flaky/kill/2`,
      response_status: 200,
      response_body: { status: "ok", service: "registry" },
      retry_count: 2,
      duration_ms: expect.any(Number),
    },
  ]);
  expect(await droplet.calls("/flaky/kill/2")).toBe(3);

  const taskId = String(body["task_id"]);
  const { tasks, totalCount } = await bed.client.call(RoutingService.method.listRoutedTasks, {});
  expect([tasks.map((task) => task.taskId), totalCount]).toEqual([[taskId], 1]);
  const { runs } = await bed.client.call(RunService.method.listRuns, {});
  const { count } = await bed.client.call(RunService.method.countRuns, {});
  const named = await bed.client.call(RunService.method.listRuns, { filter: 'flow_id == "orchestrator-route"' });
  expect([runs, count, named.runs.map((run) => run.runId)]).toEqual([[], 0n, [taskId]]);
  const { run } = await bed.client.call(RunService.method.getRun, { runId: taskId });
  expect(run?.state).toBe(RunState.COMPLETED);
  expect((await bed.client.call(FlowService.method.listFlows, {})).flows).toEqual([]);
});

test("a caller that leaves stops nothing", async () => {
  const { bed, droplet } = await openBed();
  const leaving = new AbortController();
  const order = { droplet_name: "registry", method: "POST", path: "/flaky/left/1", payload: { a: 1 } };
  const left = post(bed, order, { signal: leaving.signal }).catch(() => "left");
  await eventually(async () => expect(await droplet.calls("/flaky/left/1")).toBe(1), { timeoutMs: 20_000 });
  leaving.abort();
  expect(await left).toBe("left");
  await eventually(
    async () => {
      const { tasks } = await bed.client.call(RoutingService.method.listRoutedTasks, {
        state: RoutedTaskState.SUCCESS,
        service: "registry",
      });
      expect(tasks).toMatchObject([{ path: "/flaky/left/1", retryCount: 1, responseStatus: 200 }]);
    },
    { timeoutMs: 20_000 },
  );
});

test("over the contract, a task has its own id, is waited for, and is refused where it cannot be called", async () => {
  const { bed, droplet } = await openBed({ TASK_MAX_RETRIES: "0" });
  const { method } = RoutingService;
  const taskId = "0b5e1c2e-7c39-4d1c-9c7a-3a1f5f6b7a10";
  const { task } = await bed.client.call(method.routeTask, {
    ...{ service: "registry", path: "/moved", taskId, wait: { seconds: 20n } },
    contextJson: Buffer.from('{"who": "me"}'),
  });
  expect(task).toMatchObject({
    ...{ taskId, method: "GET", state: RoutedTaskState.SUCCESS, responseStatus: 200, retryCount: 0 },
    targetUrl: `${droplet.url}/echo/moved`,
    responseValue: { case: "response" },
  });
  expect(Buffer.from(task?.contextJson ?? []).toString()).toBe('{"who":"me"}');
  const again = bed.client.call(method.routeTask, { service: "registry", path: "/moved", taskId });
  await expect(again).rejects.toMatchObject({ code: "RUN_ALREADY_EXISTS" });

  const failed = await bed.client.call(method.routeTask, {
    ...{ service: "registry", path: "/status/500", wait: { seconds: 20n } },
  });
  expect(failed.task).toMatchObject({
    ...{ state: RoutedTaskState.ERROR, responseStatus: 500, error: { type: "INTERNAL_SERVER_ERROR" } },
  });
  expect((await bed.client.call(method.getRoutedTask, { taskId: failed.task?.taskId ?? "" })).task).toMatchObject({
    state: RoutedTaskState.ERROR,
  });

  const refusal = (request: object) => bed.client.call(method.routeTask, request).catch(({ code }) => code);
  expect(await refusal({ service: "nobody" })).toBe("SERVICE_UNKNOWN");
  expect(await refusal({ service: "registry", path: "/../x" })).toBe("INVALID_REQUEST");
  expect(
    await refusal({
      service: "registry",
      method: "GET",
      payloadValue: { case: "payloadJson", value: Buffer.from("1") },
    }),
  ).toBe("INVALID_REQUEST");
  const missing = bed.client.call(method.getRoutedTask, { taskId: await bed.start("x").catch(() => "x") });
  await expect(missing).rejects.toMatchObject({ code: "ROUTED_TASK_NOT_FOUND" });
  const reserved = await bed.client.call(FlowService.method.registerFlow, {
    definition: {
      case: "source",
      value: "id: orchestrator-route\nname: x\nworkflow: {tasks: [{id: a, type: noop}]}\n",
    },
    validateOnly: true,
  });
  expect(reserved.problems).toMatchObject([
    { message: expect.stringMatching(/^ids that begin with orchestrator- belong to flows of the service itself$/) },
  ]);

  const { services, registry } = await bed.client.call(ToolService.method.listServices, {});
  expect(services).toMatchObject([{ name: "registry", url: droplet.url, reachable: true }]);
  expect(registry).toMatchObject({ url: droplet.url, succeededSyncCount: 1, problem: "" });
  expect(await bed.client.call(method.getRoutingStats, {})).toMatchObject({
    endedCount: 2,
    successCount: 1,
    errorCount: 1,
  });
});

test("a droplet that routes to itself through the service is stopped", async () => {
  const { bed } = await openBed();
  const hops = (count: string) =>
    post(bed, { droplet_name: "registry", path: "/echo" }, { headers: { "x-orchestrator-hops": count } });
  expect(await hops("3")).toMatchObject({ status: 200, body: { response_body: { hops: "4" } } });
  expect(await hops("8")).toMatchObject({ status: 508, body: { error: { code: "LOOP_DETECTED" } } });
});

test("runs that start each other over HTTP are stopped at the ninth, whatever path they take", async () => {
  // Cause: only calls of services carried the count, and it began anew with every run.
  const { bed } = await openBed({ ORCHESTRATOR_HTTP_ALLOW: "127.0.0.1", ORCHESTRATOR_TRIGGERS_ALLOW_UNSIGNED: "true" });
  const next = '{"left": vars.left - 1}';
  const start = `{"flow_id": "again", "input": ${next}}`;
  const ways = [
    ["/v1/runs", start],
    ["/v1/runs:batchStart", `{"requests": [${start}]}`],
    ["/v1/triggers/again:receive", next],
    ["/v1/triggers/keyed:receive", next],
  ];
  const urls = ways.map(([path]) => `"http://${bed.address}${path}"`).join(", ");
  const bodies = ways.map(([, body]) => `dyn(${body})`).join(", ");
  const pick = (values: string): string => `'\${[${values}][vars.left % ${ways.length}]}'`;
  const head = "variables: [{name: left, type: integer, required: true}]\n";
  const call = `{url: ${pick(urls)}, method: POST, body: ${pick(bodies)}}`;
  await bed.register("call", `  tasks:\n    - {id: next, type: http, parameters: ${call}}\n`, head);
  const child = `{flow_id: call, input: {left: "\${vars.left}"}}`;
  await bed.register("again", `  tasks:\n    - {id: child, type: subflow, parameters: ${child}}\n`, head);
  for (const [id, key] of [
    ["again", ""],
    ["keyed", ', run_key: "${string(event.body.left)}"'],
  ]) {
    const source = `id: ${id}\nflow_id: again\nsource: {type: webhook, scheme: none}\n`;
    const begin = `start: {input: {left: "\${event.body.left}"}${key}}\n`;
    await bed.client.call(TriggerService.method.putTrigger, { source: `${source}${begin}` });
  }
  await bed.start("again", { left: 20 });
  const failed = await eventually(
    async () => {
      const { runs } = await bed.client.call(RunService.method.listRuns, { filter: 'state == "FAILED"' });
      expect(runs.map(({ flowId }) => flowId).sort()).toEqual(["again", "call"]);
      return runs.find(({ flowId }) => flowId === "call");
    },
    { timeoutMs: 60_000 },
  );
  const { run } = await bed.client.call(RunService.method.getRun, { runId: failed?.runId ?? "" });
  expect(run?.error?.message).toContain("8 calls of runs led to this one; the limit is 8");
  const { runs } = await bed.client.call(RunService.method.listRuns, { filter: 'flow_id == "again"' });
  expect(runs).toHaveLength(8);
}, 120_000);

test("calls before this one count, also when another instance owns the shard of the task", async () => {
  // Cause: the count stayed with the instance that was called, so a loop through two instances never ended.
  const droplet = await startDroplet();
  onTestFinished(() => droplet.stop());
  const { url } = await createTestDatabase();
  const open = () =>
    startServeForTest({ folder: createTemporaryFolder(), env: { DATABASE_URL: url, REGISTRY_URL: droplet.url } });
  const [{ address }] = [await open(), await open()];
  const client = openGrpcClient({ address, headers: { "x-orchestrator-hops": "3" } });
  onTestFinished(() => client.close());
  // Ids of callers are spread over the shards of both.
  const hopsOf = async () => {
    const { task } = await client.call(RoutingService.method.routeTask, {
      ...{ service: "registry", path: "/echo", taskId: randomUUID(), wait: { seconds: 20n } },
    });
    if (task?.responseValue.case !== "response") throw new Error(`the task is ${task?.state}`);
    return toJson(ValueSchema, task.responseValue.value);
  };
  const answers = await Promise.all(Array.from({ length: 12 }, hopsOf));
  expect(answers).toEqual(answers.map(() => expect.objectContaining({ hops: "4" })));
});

test("the flow of routed tasks is started by its own call only", async () => {
  const { bed } = await openBed();
  await bed.client.call(RoutingService.method.routeTask, { service: "registry", wait: { seconds: 20n } });
  const flowId = "orchestrator-route";
  const refused = {
    code: "FLOW_RESERVED",
    message: expect.stringMatching(/^flow orchestrator-route cannot be started or deleted/),
  };
  await expect(bed.client.call(RunService.method.startRun, { flowId })).rejects.toMatchObject(refused);
  const { results } = await bed.client.call(RunService.method.batchStartRuns, { requests: [{ flowId }] });
  expect(results).toMatchObject([{ result: { case: "error", value: { code: 3 } } }]);
  await bed.register("parent", `  tasks: [{id: child, type: subflow, parameters: {flow_id: ${flowId}}}]`);
  const { error } = await bed.reaches(await bed.start("parent"), RunState.FAILED);
  expect(error?.message).toMatch(/orchestrator-route cannot be started/);
});
