/**
 * How an instance learns of the runs of others, on fakes of the engine: what is relayed, what is read from the store,
 * and what is a gap.
 */
import { createServer, type Socket } from "node:net";
import { afterEach, beforeEach, expect, onTestFinished, test } from "vitest";
import { openGrpcClient } from "../../src/api/client/grpc-client.ts";
import { createForwardedCallers } from "../../src/api/peers/forwarded-caller.ts";
import { createPeerRuns } from "../../src/api/peers/peer-runs.ts";
import { type LogFields, silentLog } from "../../src/base/log.ts";
import type { RunHeader } from "../../src/engine/ports/run-index.ts";
import { RunService } from "../../src/gen/orchestrator/v1/run_service_pb.ts";
import { eventually } from "../support/eventually.ts";
import { startOf } from "../support/start-of.ts";
import { createFakeEngine } from "./support/fake-engine.ts";
import { startApi, type TestApi, TOKEN_KEY } from "./support/start-api.ts";

const CALLER = { tenantId: "default", actor: "" };

const START = startOf("done");

let there: TestApi;

beforeEach(async () => {
  there = await startApi();
});

afterEach(() => there.api.close(50));

/** The part under test over a fake engine of this instance. */
function openPeerRuns() {
  const engine = createFakeEngine();
  const warnings: { readonly message: string; readonly fields: LogFields | undefined }[] = [];
  const log = { ...silentLog, warn: (message: string, fields?: LogFields) => void warnings.push({ message, fields }) };
  const peerRuns = createPeerRuns({
    cluster: engine,
    runRelay: engine,
    runIndex: engine,
    callers: createForwardedCallers(TOKEN_KEY, Date),
    log,
    heartbeatMs: 100,
  });
  const stop = new AbortController();
  onTestFinished(() => stop.abort());
  const relayed = (): string[] =>
    engine.relayed.flatMap((change) =>
      change.type === "gap"
        ? [`gap ${change.lostCount}`]
        : change.headers.map(({ runId, state, sequence }) => `${runId} ${state} ${sequence}`),
    );
  return { engine, warnings, relayed, stop, follow: () => peerRuns.follow(CALLER, stop.signal) };
}

const startRun = (api: TestApi, runId: string, flowId = "open") => {
  const client = openGrpcClient({ address: api.address });
  onTestFinished(() => client.close());
  return client.call(RunService.method.startRun, { flowId, runId });
};

test("changes of a peer are relayed as they are, nothing is read from the store, and the stream ends with the last watch", async () => {
  const here = openPeerRuns();
  here.engine.others = [{ id: "there", address: there.address, leaving: false, owns: true, shards: [] }];
  await Promise.all([here.follow(), here.follow()]);
  await startRun(there, "a");
  await startRun(there, "b", "done");
  await eventually(() => expect(here.relayed()).toEqual(["a RUNNING 1", "b COMPLETED 2"]));
  const headers = here.engine.relayed.flatMap((change) => (change.type === "changed" ? change.headers : []));
  const stored = await there.engine.listRuns(CALLER, null, null, 10);
  expect(headers.toSorted((x, y) => (x.runId < y.runId ? -1 : 1))).toEqual(
    stored.toSorted((x, y) => (x.runId < y.runId ? -1 : 1)),
  );
  expect(here.engine.rereads).toBe(0);
  const watches = () => there.finished.filter(({ method }) => method.endsWith("/WatchRuns"));
  expect(watches()).toEqual([]);
  here.stop.abort();
  await eventually(() => expect(watches()).toHaveLength(1));
});

test("a watch that another instance asks for is not asked for again", async () => {
  const here = openPeerRuns();
  here.engine.others = [{ id: "there", address: there.address, leaving: false, owns: true, shards: [] }];
  const third = await startApi();
  onTestFinished(() => third.api.close(50));
  there.engine.others = [{ id: "third", address: third.address, leaving: false, owns: true, shards: [] }];
  await here.follow();
  await startRun(third, "a");
  await startRun(there, "b");
  await eventually(() => expect(here.relayed()).toEqual(["b RUNNING 1"]));
  await third.api.close(50);
  expect(third.finished.map(({ method }) => method.split("/").at(-1))).toEqual(["StartRun"]);
});

// Cause: what a peer had committed and not yet sent when it died would never have been heard of.
test("when a shard changes hands, or a peer goes, what was written meanwhile is read from the store", async () => {
  const here = openPeerRuns();
  here.engine.others = [{ id: "there", address: there.address, leaving: false, owns: true, shards: [] }];
  await here.follow();
  await here.engine.startRun(CALLER, { ...START, runId: "silent" }, 0);
  expect(here.relayed()).toEqual([]);
  here.engine.epochs += 1;
  await eventually(() => expect(here.relayed()).toEqual(["silent COMPLETED 2"]));
  here.engine.others = [];
  await eventually(() => expect(here.engine.rereads).toBe(2));
});

test("a peer that is silent, or says no, is named in the log once, asked again, and its runs are read from the store", async () => {
  const sockets: Socket[] = [];
  const deaf = createServer((socket) => void sockets.push(socket.on("error", () => undefined)));
  await new Promise<void>((resolve) => deaf.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    deaf.close();
  });
  const here = openPeerRuns();
  const { port } = deaf.address() as { port: number };
  here.engine.others = [
    { id: "silent", address: `127.0.0.1:${port}`, leaving: false, owns: true, shards: [] },
    { id: "closed", address: "127.0.0.1:1", leaving: false, owns: true, shards: [] },
  ];
  await here.follow();
  await eventually(() => expect(sockets.length).toBeGreaterThan(1));
  await eventually(() => expect(here.engine.rereads).toBeGreaterThan(1));
  expect(here.warnings.map(({ fields }) => fields?.instance).toSorted()).toEqual(["closed", "silent"]);
});

test("what cannot be read is a gap after the third try, and so is what is too much", async () => {
  const here = openPeerRuns();
  await here.follow();
  const read = here.engine.listChanged;
  let tries = 0;
  here.engine.listChanged = async () => {
    tries += 1;
    throw new Error("away");
  };
  here.engine.epochs += 1;
  await eventually(() => expect(here.relayed()).toEqual(["gap 1"]));
  expect(tries).toBe(3);
  await here.engine.startRun(CALLER, { ...START, runId: "x" }, 0);
  here.engine.listChanged = async (...asked) => {
    const [header] = (await read.apply(here.engine, asked)) as [RunHeader];
    return Array.from({ length: asked[2] }, (_, index) => ({ ...header, runId: `x-${index}` }));
  };
  here.engine.relayed.length = 0;
  here.engine.epochs += 1;
  await eventually(() => expect(here.relayed().length).toBe(5_001));
  expect(here.relayed().slice(0, 2)).toEqual(["gap 1", "x-1 COMPLETED 2"]);
});
