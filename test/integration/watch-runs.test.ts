/** A watch over runs shows the runs of all instances on the database, whichever instance is asked. */
import { expect, onTestFinished, test } from "vitest";
import type { ApiClient } from "../../src/api/client/client.ts";
import { openGrpcClient } from "../../src/api/client/grpc-client.ts";
import { FlowService } from "../../src/gen/orchestrator/v1/flow_service_pb.ts";
import { RunState } from "../../src/gen/orchestrator/v1/run_pb.ts";
import { RunService } from "../../src/gen/orchestrator/v1/run_service_pb.ts";
import { eventually } from "../support/eventually.ts";
import { createTestDatabase } from "../support/postgres.ts";
import { type ServeProcess, startServeForTest } from "../support/serve-process.ts";
import { createTemporaryFolder } from "../support/temporary-folder.ts";

const { database, url } = await createTestDatabase();

const FLOW = `
id: slow
version: "1"
variables:
  - {name: time, type: string, required: true}
workflow:
  tasks:
    - {id: first, type: noop}
    - {id: pause, type: wait, depends_on: [first], parameters: {duration: "\${vars.time}"}}
`;

interface Instance extends ServeProcess {
  readonly id: string;
  readonly client: ApiClient;
}

/** An instance on the database of this file, as soon as it owns shards. */
async function startInstance(): Promise<Instance> {
  const id = `watch-${crypto.randomUUID()}`;
  const env = { DATABASE_URL: url, ORCHESTRATOR_INSTANCE_ID: id, ORCHESTRATOR_LEASE_TTL: "1500ms" };
  const service = await startServeForTest({ folder: createTemporaryFolder(), env });
  await eventually(async () => {
    const sql = "SELECT count(*) AS shards FROM orchestrator.shard_leases WHERE instance_id = $1";
    const { rows } = await database.reads.query<{ shards: number }>(sql, [id]);
    expect(rows[0]?.shards).toBeGreaterThan(0);
  });
  const client = openGrpcClient({ address: service.address });
  onTestFinished(() => client.close());
  await client.call(FlowService.method.registerFlow, { definition: { case: "source", value: FLOW } });
  return { ...service, id, client };
}

/** Starts a run on one of the instance's own shards. */
async function startRun({ client }: Instance, time: string): Promise<string> {
  const inputValue = { case: "inputJson" as const, value: Buffer.from(JSON.stringify({ time })) };
  const { run } = await client.call(RunService.method.startRun, {
    flowId: "slow",
    inputValue,
    requestId: crypto.randomUUID(),
  });
  return run?.runId ?? "";
}

/** Watches all runs at an instance; resolves when the watch has begun. */
async function watch({ client }: Instance, filter = "") {
  const stop = new AbortController();
  onTestFinished(() => stop.abort());
  const seen: {
    readonly runId: string;
    readonly state: RunState;
    readonly sequence: number;
    readonly matches: boolean;
  }[] = [];
  const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
  const ended = (async () => {
    for await (const { frame } of client.stream(RunService.method.watchRuns, { filter }, { signal: stop.signal })) {
      if (frame.case === "snapshot") begin();
      if (frame.case !== "update" || frame.value.run === undefined) continue;
      const { runId, state, sequence } = frame.value.run;
      seen.push({ runId, state, sequence, matches: frame.value.matches });
    }
  })().catch((error: unknown) => error);
  await begun;
  /** States of a run in the order in which they came; each update must be newer than the one before. */
  const statesOf = (runId: string): RunState[] => {
    const updates = seen.filter((update) => update.runId === runId);
    const sequences = updates.map((update) => update.sequence);
    expect(sequences).toEqual([...new Set(sequences)].toSorted((a, b) => a - b));
    // Changes that follow one another fast are sent as one: that it ran before it waited need not be seen.
    return [...new Set(updates.map((update) => update.state))].filter((state) => state !== RunState.RUNNING);
  };
  return { seen, statesOf, ended, stop: () => stop.abort() };
}

/** How many streams of WatchRuns an instance has begun and ended. */
async function countStreams({ metricsPort }: Instance): Promise<{ readonly begun: number; readonly ended: number }> {
  const text = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
  const lines = text.split("\n").filter((line) => line.includes('grpc_method="WatchRuns"'));
  const sum = (name: string): number =>
    lines.filter((line) => line.startsWith(name)).reduce((total, line) => total + Number(line.split(" ").at(-1)), 0);
  return { begun: sum("grpc_server_started_total"), ended: sum("grpc_server_handled_total") };
}

// Cause: a watch heard the commits of its own instance only.
test("a run of another instance is seen from its start to its end, and leaves the filter of those who watch for open runs", async () => {
  const [a, b] = [await startInstance(), await startInstance()];
  const all = await watch(a);
  const open = await watch(a, 'phase == "RUNNING"');
  const runId = await startRun(b, "700ms");
  await eventually(() => expect(all.statesOf(runId)).toEqual([RunState.WAITING, RunState.COMPLETED]));
  await eventually(() => expect(open.seen.at(-1)).toMatchObject({ runId, state: RunState.COMPLETED, matches: false }));
  expect(open.statesOf(runId)).toEqual([RunState.WAITING, RunState.COMPLETED]);
  // One stream between the two, however many watch.
  expect(await countStreams(b)).toEqual({ begun: 1, ended: 0 });
  expect(await countStreams(a)).toEqual({ begun: 2, ended: 0 });
  all.stop();
  await all.ended;
  expect(await countStreams(b)).toEqual({ begun: 1, ended: 0 });
  open.stop();
  await eventually(async () => expect(await countStreams(b)).toEqual({ begun: 1, ended: 1 }));
});

// Cause: deletions told nobody.
test("a run that is deleted leaves the watches of every instance", async () => {
  const [a, b] = [await startInstance(), await startInstance()];
  const watches = [await watch(a), await watch(b), await watch(a, 'state == "COMPLETED"')];
  const runId = await startRun(b, "1ms");
  const last = () => watches.map(({ seen }) => seen.filter((update) => update.runId === runId).at(-1));
  const completed = { state: RunState.COMPLETED, matches: true };
  await eventually(() => expect(last()).toMatchObject([completed, completed, completed]));
  const before = last().map((update) => update?.sequence ?? 0);
  await a.client.call(RunService.method.deleteRun, { runId });
  await eventually(() => expect(last().map((update) => update?.matches)).toEqual([false, false, false]));
  expect(last().map((update) => update?.sequence)).toEqual(before.map((sequence) => sequence + 1));
});

test("an instance that joins while somebody watches is heard, and one that is killed is heard to the end: by who takes over", async () => {
  const a = await startInstance();
  const watching = await watch(a);
  const b = await startInstance();
  const early = await startRun(b, "1ms");
  await eventually(() => expect(watching.statesOf(early).at(-1)).toBe(RunState.COMPLETED));
  const runId = await startRun(b, "3s");
  await eventually(() => expect(watching.statesOf(runId)).toEqual([RunState.WAITING]));
  await b.stop("SIGKILL");
  await eventually(() => expect(watching.statesOf(runId)).toEqual([RunState.WAITING, RunState.COMPLETED]), {
    timeoutMs: 30_000,
  });
});

test("runs of an instance that cannot be reached are shown all the same, and the log says so once", async () => {
  const [a, b] = [await startInstance(), await startInstance()];
  const setAddress = (address: string) =>
    database.reads.query("UPDATE orchestrator.instances SET address = $2 WHERE instance_id = $1", [b.id, address]);
  await setAddress("127.0.0.1:1");
  const isTold = (what: string): number =>
    a
      .output()
      .split("\n")
      .filter((line) => line.includes(what)).length;
  const watching = await watch(a);
  await eventually(() => expect(isTold("lost the run changes")).toBe(1));
  const runId = await startRun(b, "500ms");
  await eventually(() => expect(watching.statesOf(runId).at(-1)).toBe(RunState.COMPLETED), { timeoutMs: 20_000 });
  expect(isTold("lost the run changes")).toBe(1);
  await setAddress(b.address);
  const countOpen = async () => countStreams(b).then(({ begun, ended }) => begun - ended);
  await eventually(async () => expect(await countOpen()).toBe(1), { timeoutMs: 20_000 });
  const next = await startRun(b, "500ms");
  await eventually(() => expect(watching.statesOf(next)).toEqual([RunState.WAITING, RunState.COMPLETED]));
});

test("a stop of the instance that is asked ends its watches with SHUTTING_DOWN, and its streams at the others", async () => {
  const [a, b] = [await startInstance(), await startInstance()];
  const watching = await watch(a);
  await eventually(async () => expect(await countStreams(b)).toEqual({ begun: 1, ended: 0 }));
  const stopped = a.stop();
  expect(await watching.ended).toMatchObject({ code: "SHUTTING_DOWN" });
  await eventually(async () => expect(await countStreams(b)).toEqual({ begun: 1, ended: 1 }));
  expect(await stopped).toBe(0);
});

test("a watch resumes from a cursor at any instance: what changed meanwhile comes as updates, also of runs that left the filter", async () => {
  const [a, b] = [await startInstance(), await startInstance()];
  const running = await startRun(a, "2s");
  const filter = 'phase == "RUNNING"';
  const stop = new AbortController();
  let cursor = "";
  for await (const { frame } of a.client.stream(RunService.method.watchRuns, { filter }, { signal: stop.signal })) {
    expect(frame.case).toBe("snapshot");
    if (frame.case === "snapshot") {
      expect(frame.value.runs.map((run) => run.runId)).toContain(running);
      cursor = frame.value.cursor;
    }
    break;
  }
  stop.abort();
  expect(cursor).not.toBe("");
  await eventually(async () => {
    const { run } = await a.client.call(RunService.method.getRun, { runId: running });
    expect(run?.state).toBe(RunState.COMPLETED);
  });
  const fresh = await startRun(a, "20s");
  const found = new Map<string, boolean>();
  const resumed = new AbortController();
  onTestFinished(() => resumed.abort());
  const options = { signal: resumed.signal };
  let first: string | undefined;
  for await (const { frame } of b.client.stream(RunService.method.watchRuns, { filter, cursor }, options)) {
    first ??= frame.case;
    if (frame.case === "update") {
      expect(frame.value.cursor).not.toBe("");
      found.set(frame.value.run?.runId ?? "", frame.value.matches);
    }
    if (found.has(running) && found.has(fresh)) break;
  }
  expect(first).toBe("update");
  expect(found.get(running)).toBe(false);
  expect(found.get(fresh)).toBe(true);
  const other = b.client.stream(RunService.method.watchRuns, { filter: "", cursor }, options);
  await expect(other[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: "WATCH_CURSOR_INVALID" });
});

// Cause: a resumed watch read the runs that changed, and a deleted run is none: those that held it kept it forever.
test("a watch that resumes learns of the runs that were deleted meanwhile, whatever its filter", async () => {
  const [a, b] = [await startInstance(), await startInstance()];
  const filter = 'state == "COMPLETED"';
  const runId = await startRun(a, "1ms");
  const stop = new AbortController();
  onTestFinished(() => stop.abort());
  const options = { signal: stop.signal };
  let cursor = "";
  let sequence = 0;
  await eventually(async () => {
    const { run } = await a.client.call(RunService.method.getRun, { runId });
    expect(run?.state).toBe(RunState.COMPLETED);
    sequence = run?.sequence ?? 0;
  });
  for await (const { frame } of a.client.stream(RunService.method.watchRuns, { filter }, options)) {
    if (frame.case === "snapshot") cursor = frame.value.cursor;
    break;
  }
  await b.client.call(RunService.method.deleteRun, { runId });
  const open = await startRun(b, "20s");
  const updates = new Map<string, unknown>();
  for await (const { frame } of b.client.stream(RunService.method.watchRuns, { filter, cursor }, options)) {
    if (frame.case !== "update") continue;
    updates.set(frame.value.run?.runId ?? "", { matches: frame.value.matches, sequence: frame.value.run?.sequence });
    if (updates.has(open)) break;
  }
  expect(updates.get(runId)).toEqual({ matches: false, sequence: sequence + 1 });
});

test("a snapshot that does not hold every run says so", async () => {
  const a = await startInstance();
  await startRun(a, "1ms");
  await startRun(a, "1ms");
  for (const [snapshotSize, partial] of [
    [1, true],
    [500, false],
  ] as const) {
    for await (const { frame } of a.client.stream(RunService.method.watchRuns, { snapshotSize })) {
      if (frame.case !== "snapshot") throw new Error(`a ${frame.case} came first`);
      expect(frame.value.partial).toBe(partial);
      if (partial) expect(frame.value.runs).toHaveLength(snapshotSize);
      break;
    }
  }
});
