/** Breakers that operators force, and bulkheads that they resize: two instances, a real tool, restarts. */
import { expect, onTestFinished, test } from "vitest";
import type { ApiClient } from "../../src/api/client/client.ts";
import { openGrpcClient } from "../../src/api/client/grpc-client.ts";
import { toTimestamp } from "../../src/api/mapping/time.ts";
import { BreakerState, ForcedBreaker } from "../../src/gen/orchestrator/v1/breaker_pb.ts";
import { FlowService } from "../../src/gen/orchestrator/v1/flow_service_pb.ts";
import { RunState } from "../../src/gen/orchestrator/v1/run_pb.ts";
import { RunService } from "../../src/gen/orchestrator/v1/run_service_pb.ts";
import { ToolService } from "../../src/gen/orchestrator/v1/tool_service_pb.ts";
import { type Droplet, startDroplet } from "../support/droplet.ts";
import { eventually } from "../support/eventually.ts";
import { createTestDatabase } from "../support/postgres.ts";
import { runCommand } from "../support/run-command.ts";
import { type ServeProcess, startServeForTest } from "../support/serve-process.ts";
import { createTemporaryFolder } from "../support/temporary-folder.ts";

const { method } = ToolService;

interface Instance {
  readonly service: ServeProcess;
  readonly client: ApiClient;
}

interface Bed {
  readonly droplet: Droplet;
  readonly instances: readonly Instance[];
  open(): Promise<Instance>;
}

async function openBed(count: number): Promise<Bed> {
  const droplet = await startDroplet();
  onTestFinished(() => droplet.stop());
  const { url } = await createTestDatabase();
  const services = JSON.stringify({ billing: { url: droplet.url } });
  const env = { DATABASE_URL: url, ORCHESTRATOR_ROUTING_SERVICES: services, ORCHESTRATOR_HTTP_ALLOW: "127.0.0.1" };
  const open = async (): Promise<Instance> => {
    const service = await startServeForTest({ folder: createTemporaryFolder(), env });
    const client = openGrpcClient({ address: service.address, headers: { "x-orchestrator-actor": "alice" } });
    onTestFinished(() => client.close());
    return { service, client };
  };
  const instances: Instance[] = [];
  for (let index = 0; index < count; index += 1) instances.push(await open());
  return { droplet, instances, open };
}

async function register({ client }: Instance, path: string): Promise<void> {
  const value = `
id: calls
version: "1"
workflow:
  tasks:
    - {id: call, type: http, parameters: {service: billing, path: "${path}"}}
`;
  const { problems } = await client.call(FlowService.method.registerFlow, { definition: { case: "source", value } });
  expect(problems).toEqual([]);
}

const startAt = async ({ client }: Instance): Promise<string> =>
  (await client.call(RunService.method.startRun, { flowId: "calls" })).run?.runId ?? "";

const stateOf = async ({ client }: Instance, runId: string) =>
  (await client.call(RunService.method.getRun, { runId })).run?.state;

test("a breaker that is forced open stops calls at every instance until it is lifted", async () => {
  const { droplet, instances, open } = await openBed(2);
  const [first, second] = instances as [Instance, Instance];
  await register(first, "/echo/forced");
  const { override } = await first.client.call(method.putToolOverride, {
    ...{ service: "billing", breaker: ForcedBreaker.OPEN, changeReason: "maintenance" },
    expireTime: toTimestamp(Date.now() + 3_600_000),
  });
  expect(override).toMatchObject({ service: "billing", actor: "alice", changeReason: "maintenance" });
  await eventually(async () => {
    const { overrides } = await second.client.call(method.listToolOverrides, {});
    expect(overrides).toMatchObject([{ service: "billing", breaker: ForcedBreaker.OPEN }]);
  });

  // Those who come later know it, too.
  const third = await open();
  const runIds = [await startAt(first), await startAt(second), await startAt(third)];
  for (const runId of runIds)
    await eventually(async () => {
      const { findings } = await first.client.call(RunService.method.diagnoseRun, { runId });
      expect(findings).toMatchObject([
        {
          taskId: "call",
          message: expect.stringMatching(
            /^BREAKER_FORCED_OPEN: alice has stopped calls .* service billing .*maintenance/,
          ),
          method: "ToolService.LiftToolOverride",
        },
      ]);
    });
  const { breakers } = await first.client.call(method.listBreakers, { service: "billing" });
  expect(breakers.map(({ forced, flowId, task }) => [forced, flowId, task])).toContainEqual([
    ...[ForcedBreaker.OPEN, "calls", "call"],
  ]);
  const metrics = await (await fetch(`http://127.0.0.1:${first.service.metricsPort}/metrics`)).text();
  expect(metrics).toContain('orchestrator_tool_overrides{kind="OPEN"} 1');
  expect(await droplet.calls("/echo/forced")).toBe(0);

  const { wasInForce } = await second.client.call(method.liftToolOverride, { service: "billing" });
  expect(wasInForce).toBe(true);
  for (const runId of runIds)
    await eventually(async () => expect(await stateOf(first, runId)).toBe(RunState.COMPLETED), { timeoutMs: 30_000 });
  expect(await droplet.calls("/echo/forced")).toBe(3);
});

test("an override ends at its time", async () => {
  const { instances } = await openBed(1);
  const [only] = instances as [Instance];
  await register(only, "/echo/expired");
  const expireTime = toTimestamp(Date.now() + 2_000);
  await only.client.call(method.putToolOverride, { service: "billing", breaker: ForcedBreaker.OPEN, expireTime });
  const runId = await startAt(only);
  await eventually(async () => expect(await stateOf(only, runId)).toBe(RunState.COMPLETED), { timeoutMs: 20_000 });
  expect((await only.client.call(method.listToolOverrides, {})).overrides).toEqual([]);
});

test("breakers are reset and forced closed, bulkheads resized, by the command line", async () => {
  const { droplet, instances } = await openBed(1);
  const [only] = instances as [Instance];
  await register(only, "/status/500");
  const folder = createTemporaryFolder();
  const cli = async (...words: string[]) => {
    const { code, out, err } = await runCommand(["breakers", ...words, "--server", only.service.address], folder, {});
    expect([code, err]).toEqual([0, ""]);
    return out;
  };
  await cli("resize", "billing", "--max-concurrent", "1", "--max-queued", "0", "--reason", "small", "--for", "1h");
  expect(await cli("overrides")).toMatch(/billing +\(all\) +\(all\) +1 at once, 0 queued .*small/);
  const fail = async () => {
    const runId = await startAt(only);
    await eventually(async () => expect(await stateOf(only, runId)).toBe(RunState.FAILED), { timeoutMs: 20_000 });
  };
  for (let count = 0; count < 10; count += 1) await fail();
  const one = async () => (await only.client.call(method.listBreakers, {})).breakers[0];
  expect(await one()).toMatchObject({ state: BreakerState.OPEN, failureCount: 10, maxConcurrent: 1, maxQueued: 0 });
  expect(await cli("list")).toMatch(/billing .*calls +call +OPEN +10 +0\/1 +0\/0/);

  await cli("reset", "billing");
  await eventually(async () => expect(await one()).toMatchObject({ state: BreakerState.CLOSED, failureCount: 0 }));

  await cli("close", droplet.url, "--flow", "calls");
  for (let count = 0; count < 11; count += 1) await fail();
  expect(await one()).toMatchObject({ state: BreakerState.CLOSED, forced: ForcedBreaker.CLOSED, failureCount: 0 });
  expect(await cli("lift", droplet.url, "--flow", "calls")).toMatch(/is lifted/);
});

test("a request without a target, with two, without a change, or for the past is refused", async () => {
  const { instances } = await openBed(1);
  const [only] = instances as [Instance];
  const { OPEN } = ForcedBreaker;
  const past = toTimestamp(Date.now() - 1_000);
  const refusals: readonly [object, RegExp][] = [
    [{ breaker: OPEN }, /service.*origin/],
    [{ service: "a", origin: "http://a", breaker: OPEN }, /service.*origin/],
    [{ service: "a" }, /breaker/],
    [{ service: "a", breaker: OPEN, expireTime: past }, /^expire_time: must be in the future/],
    [{ origin: "http://a/path", breaker: OPEN }, /origin/],
    [{ service: "a", maxConcurrent: 0 }, /max_concurrent/],
  ];
  for (const [request, message] of refusals)
    await expect(only.client.call(method.putToolOverride, request), String(message)).rejects.toMatchObject({
      code: "INVALID_REQUEST",
      message: expect.stringMatching(message),
    });
});
