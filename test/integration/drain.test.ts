/** The end of the real service in good order: what is under way ends, and callers who wait are answered. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { openGrpcClient } from "../../src/api/client/grpc-client.ts";
import { FlowService } from "../../src/gen/orchestrator/v1/flow_service_pb.ts";
import { RunState } from "../../src/gen/orchestrator/v1/run_pb.ts";
import { RunService } from "../../src/gen/orchestrator/v1/run_service_pb.ts";
import { eventually } from "../support/eventually.ts";
import { type ServeProcess, startServeForTest } from "../support/serve-process.ts";
import { createTemporaryFolder } from "../support/temporary-folder.ts";

const FLOW = `
id: slow
version: "1"
variables:
  - {name: url, type: string, required: true}
workflow:
  tasks:
    - {id: call, type: http, parameters: {method: POST, url: "\${vars.url}"}}
    - {id: next, type: http, depends_on: [call], parameters: {method: POST, url: "\${vars.url}"}}
`;

const ENV = { ORCHESTRATOR_HTTP_ALLOW: "127.0.0.1" };

/** A service whose effect takes until it is let go. */
async function openSlowTool() {
  const keys: string[] = [];
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  const server = createServer((request, response) => {
    keys.push(String(request.headers["idempotency-key"]));
    void released.then(() => response.writeHead(200, { "content-type": "application/json" }).end("{}"));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { keys, release, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/` };
}

function openClient(service: ServeProcess) {
  const client = openGrpcClient({ address: service.address });
  onTestFinished(() => client.close());
  return client;
}

const start = (url: string, seconds: bigint) => ({
  flowId: "slow",
  inputValue: { case: "inputJson" as const, value: Buffer.from(JSON.stringify({ url })) },
  requestId: crypto.randomUUID(),
  wait: { seconds },
});

// Cause: a stop gave up the attempts under way at once, and they were made again after the next start: every deployment
// repeated running effects. And waits were not told: they held the stop for all of its time and were then cut off,
// though their runs were started.
test("a stop answers who waits, lets the attempt under way end, and its effect happens once", async () => {
  const tool = await openSlowTool();
  const folder = createTemporaryFolder();
  const first = await startServeForTest({ folder, env: ENV });
  const client = openClient(first);
  await client.call(FlowService.method.registerFlow, { definition: { case: "source", value: FLOW } });
  const starting = client.call(RunService.method.startRun, start(tool.url, 50n));
  const { runId } = await eventually(async () => {
    expect(tool.keys).toHaveLength(1);
    const { runs } = await client.call(RunService.method.listRuns, {});
    return runs[0] as { runId: string };
  });
  const waiting = client.call(RunService.method.waitRun, { runId, wait: { seconds: 50n } });
  // Known to the service before it stops: a call that is on its way then may be refused.
  await client.call(RunService.method.getRun, { runId });
  const stopped = first.stop();
  const answer = await starting;
  expect(answer).toMatchObject({ started: true, run: { runId, state: RunState.RUNNING } });
  expect((await waiting).run?.state).toBe(RunState.RUNNING);
  expect(first.child.exitCode).toBe(null);
  tool.release();
  expect(await stopped).toBe(0);
  const second = await startServeForTest({ folder, env: ENV });
  const { run } = await openClient(second).call(RunService.method.waitRun, { runId, wait: { seconds: 50n } });
  expect(run?.state).toBe(RunState.COMPLETED);
  expect(tool.keys).toEqual([`${runId}/call/0`, `${runId}/next/0`]);
});

test("a stop gives up attempts that take longer than its time", async () => {
  const tool = await openSlowTool();
  const folder = createTemporaryFolder();
  const env = { ...ENV, ORCHESTRATOR_DRAIN_TIMEOUT: "200ms" };
  const first = await startServeForTest({ folder, env });
  const client = openClient(first);
  await client.call(FlowService.method.registerFlow, { definition: { case: "source", value: FLOW } });
  const { run } = await client.call(RunService.method.startRun, start(tool.url, 0n));
  await eventually(() => expect(tool.keys).toHaveLength(1));
  expect(await first.stop()).toBe(0);
  tool.release();
  const second = await startServeForTest({ folder, env });
  const call = { runId: run?.runId ?? "", wait: { seconds: 50n } };
  expect((await openClient(second).call(RunService.method.waitRun, call)).run?.state).toBe(RunState.COMPLETED);
  // Made again, with the same key.
  expect(new Set(tool.keys)).toEqual(new Set([`${run?.runId}/call/0`, `${run?.runId}/next/0`]));
});
