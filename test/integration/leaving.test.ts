/** Instances that come and go, as processes on one database: nobody who calls another instance notices. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import type { ApiClient } from "../../src/api/client/client.ts";
import { openGrpcClient } from "../../src/api/client/grpc-client.ts";
import { shardOf } from "../../src/base/ids.ts";
import { FlowService } from "../../src/gen/orchestrator/v1/flow_service_pb.ts";
import { RunState } from "../../src/gen/orchestrator/v1/run_pb.ts";
import { RunService } from "../../src/gen/orchestrator/v1/run_service_pb.ts";
import { eventually } from "../support/eventually.ts";
import { createTestDatabase } from "../support/postgres.ts";
import { type ServeOptions, type ServeProcess, startServeForTest } from "../support/serve-process.ts";
import { createTemporaryFolder } from "../support/temporary-folder.ts";

const GATE = `
id: gate
version: "1"
workflow:
  tasks:
    - {id: gate, type: signal, parameters: {name: go}}
`;

const CALL = `
id: call
version: "1"
variables:
  - {name: url, type: string, required: true}
workflow:
  tasks:
    - {id: call, type: http, parameters: {method: POST, url: "\${vars.url}"}}
`;

const QUICK = `
id: quick
version: "1"
workflow:
  tasks:
    - {id: one, type: noop}
`;

const { url, database } = await createTestDatabase();
const few = await createTestDatabase({ empty: true });

function serve(options: Partial<ServeOptions> = {}): Promise<ServeProcess> {
  return startServeForTest({
    folder: createTemporaryFolder(),
    ...options,
    env: { DATABASE_URL: url, ORCHESTRATOR_HTTP_ALLOW: "127.0.0.1", ...options.env },
  });
}

function openClient({ address }: { readonly address: string }): ApiClient {
  const client = openGrpcClient({ address });
  onTestFinished(() => client.close());
  return client;
}

const wait = (seconds: bigint) => ({ seconds });

async function register(client: ApiClient): Promise<void> {
  for (const value of [GATE, CALL, QUICK])
    await client.call(FlowService.method.registerFlow, { definition: { case: "source", value } });
}

/** How many shards each instance owns, smallest first. */
async function sharesOf(): Promise<readonly number[]> {
  const { rows } = await database.reads.query<{ shards: number }>(
    "SELECT count(*)::int AS shards FROM orchestrator.shard_leases WHERE instance_id IS NOT NULL GROUP BY instance_id ORDER BY 1",
  );
  return rows.map(({ shards }) => shards);
}

/** Two instances that share the shards, and a run of each that waits for a signal. */
async function openTwo() {
  const leaver = await serve();
  const here = openClient(leaver);
  await register(here);
  const stayer = await serve();
  const there = openClient(stayer);
  await eventually(async () => expect(await sharesOf()).toEqual([32, 32]), { timeoutMs: 15_000 });
  const startOn = async (client: ApiClient): Promise<string> => {
    const { run } = await client.call(RunService.method.startRun, { flowId: "gate" });
    return run?.runId ?? "";
  };
  return { leaver, here, stayer, there, startOn };
}

/** An http service that answers when it is told to. */
async function openSlowTool() {
  let calls = 0;
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  const server = createServer((_request, response) => {
    calls += 1;
    void released.then(() => response.writeHead(200, { "content-type": "application/json" }).end("{}"));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { calls: () => calls, release, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/` };
}

/** Stops an instance; signals a run of it through another one, and says how long that took. */
async function stopAndSignal(leaver: ServeProcess, through: ApiClient, runId: string) {
  const startedAt = performance.now();
  const stopped = leaver.stop();
  await through.call(RunService.method.signalRun, { runId, signalName: "go" });
  return { stopped, tookMs: performance.now() - startedAt };
}

// Cause: the API waited for a forwarded WaitRun, which never heard of the drain, and the shards were given back only
// after the API had closed.
test("a call that waits at another instance does not keep the runs of one that stops from going on elsewhere", {
  timeout: 120_000,
}, async () => {
  const { leaver, here, there, startOn } = await openTwo();
  const own = await startOn(here);
  const foreign = await startOn(there);
  const waiting = here.call(RunService.method.waitRun, { runId: foreign, wait: wait(40n) }, { timeoutMs: 60_000 });
  const watching = here.stream(RunService.method.watchRun, { runId: foreign });
  const frames = (async () => {
    for await (const _frame of watching);
  })().catch((error: unknown) => error);
  await here.call(RunService.method.getRun, { runId: foreign });
  const { stopped, tookMs } = await stopAndSignal(leaver, there, own);
  // Answered early, with the run as it is.
  expect((await waiting).run?.state).toBe(RunState.WAITING);
  expect(await frames).toMatchObject({ code: "SHUTTING_DOWN" });
  expect(await stopped).toBe(0);
  const ended = await there.call(RunService.method.waitRun, { runId: own, wait: wait(20n) });
  expect(ended.run?.state).toBe(RunState.COMPLETED);
  // The same without a call that waits, on this machine now.
  const next = await serve();
  await eventually(async () => expect(await sharesOf()).toEqual([32, 32]), { timeoutMs: 15_000 });
  const other = await startOn(openClient(next));
  const alone = await stopAndSignal(next, there, other);
  expect(await alone.stopped).toBe(0);
  expect(tookMs).toBeLessThan(Math.max(1_000, 3 * alone.tookMs));
});

test("runs without an attempt go on elsewhere at once, also those that share a shard with one under way", async () => {
  const { leaver, here, there, startOn } = await openTwo();
  const tool = await openSlowTool();
  const slow = await here.call(RunService.method.startRun, {
    flowId: "call",
    inputValue: { case: "inputJson", value: Buffer.from(JSON.stringify({ url: tool.url })) },
  });
  await eventually(() => expect(tool.calls()).toBe(1));
  const runs = await Promise.all(Array.from({ length: 150 }, () => startOn(here)));
  const shard = shardOf(slow.run?.runId ?? "", 64);
  expect(runs.some((runId) => shardOf(runId, 64) === shard)).toBe(true);
  const stopped = leaver.stop();
  await Promise.all(runs.map((runId) => there.call(RunService.method.signalRun, { runId, signalName: "go" })));
  expect(leaver.child.exitCode).toBe(null);
  // All shards but the one of the attempt have moved.
  await eventually(async () => expect(await sharesOf()).toEqual([1, 63]));
  tool.release();
  expect(await stopped).toBe(0);
  const done = await there.call(RunService.method.waitRun, { runId: slow.run?.runId ?? "", wait: wait(20n) });
  expect(done.run?.state).toBe(RunState.COMPLETED);
  expect(tool.calls()).toBe(1);
});

// Cause: an instance that had more than its share gave the shards with the highest numbers, whatever was under way in
// them, and the attempts were made again.
test("an instance that joins gets shards without work first, and the others when their attempts have ended", async () => {
  const first = await serve();
  const client = openClient(first);
  await register(client);
  const tool = await openSlowTool();
  // More busy shards than the share of an instance.
  const runIds = Array.from({ length: 60 }, (_, index) => `joined-${index}`);
  const input = { case: "inputJson" as const, value: Buffer.from(JSON.stringify({ url: tool.url })) };
  for (const runId of runIds)
    await client.call(RunService.method.startRun, { flowId: "call", runId, inputValue: input });
  await eventually(() => expect(tool.calls()).toBe(runIds.length));
  const busy = new Set(runIds.map((runId) => shardOf(runId, 64))).size;
  expect(busy).toBeGreaterThan(32);
  const joiner = openClient(await serve());
  const sorted = [64 - busy, busy].toSorted((a, b) => a - b);
  await eventually(async () => expect(await sharesOf()).toEqual(sorted), { timeoutMs: 15_000 });
  tool.release();
  await eventually(async () => expect(await sharesOf()).toEqual([32, 32]), { timeoutMs: 15_000 });
  for (const runId of runIds) {
    const { run } = await joiner.call(RunService.method.waitRun, { runId, wait: wait(20n) });
    expect(run?.state).toBe(RunState.COMPLETED);
  }
  expect(tool.calls()).toBe(runIds.length);
});

// Cause: an instance without shards refused starts with OVERLOADED until another one had given it its part.
test("an instance starts runs from the moment it is ready, and while it stops", async () => {
  const first = await serve();
  await register(openClient(first));
  const joiner = await serve();
  const client = openClient(joiner);
  const run = await client.call(RunService.method.startRun, { flowId: "quick", wait: wait(20n) });
  expect(run.run?.state).toBe(RunState.COMPLETED);
  let stopping: Promise<number | null> | null = null;
  const endsAt = performance.now() + 5_000;
  for (let index = 0; performance.now() < endsAt; index += 1) {
    const single = client.call(RunService.method.startRun, { flowId: "quick", wait: wait(5n) });
    const requests = [{ flowId: "quick" }, { flowId: "quick", runId: `b${index}` }];
    const batch = client.call(RunService.method.batchStartRuns, { requests, wait: wait(5n) });
    expect((await single).run?.state).toBe(RunState.COMPLETED);
    expect((await batch).results.map(({ result }) => result.case === "run" && result.value.state)).toEqual([
      RunState.COMPLETED,
      RunState.COMPLETED,
    ]);
    // The other instance leaves in between.
    if (endsAt - performance.now() < 2_500) stopping ??= first.stop();
  }
  expect(await stopping).toBe(0);
});

test("an instance for which there is no shard forwards, and takes over when the others have left or died", async () => {
  const env = { DATABASE_URL: few.url, ORCHESTRATOR_SHARDS: "1" };
  const first = await serve({ env });
  await register(openClient(first));
  const spare = await serve({ env });
  const client = openClient(spare);
  const { run } = await client.call(RunService.method.startRun, { flowId: "gate" });
  const quick = { flowId: "quick", wait: wait(20n), readMask: { paths: ["state"] } };
  expect((await client.call(RunService.method.startRun, quick)).run).toMatchObject({ state: RunState.COMPLETED });
  const killedAt = performance.now();
  await first.stop("SIGKILL");
  const call = { runId: run?.runId ?? "", signalName: "go" };
  expect((await client.call(RunService.method.signalRun, call)).run?.runId).toBe(run?.runId);
  expect(performance.now() - killedAt).toBeLessThan(process.env.CI === "true" ? 6_000 : 3_000);
  expect((await client.call(RunService.method.startRun, quick)).run?.state).toBe(RunState.COMPLETED);
});
