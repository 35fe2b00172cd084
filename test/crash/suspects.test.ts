/**
 * Who is held after deaths, with real processes: kills from outside hold nobody, however many there are; a run that
 * blocks or kills its process is held alone, after three deaths at most, and all others complete.
 */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, expect, onTestFinished, test } from "vitest";
import type { ApiClient } from "../../src/api/client/client.ts";
import { openGrpcClient } from "../../src/api/client/grpc-client.ts";
import { MAX_DEATHS } from "../../src/engine/shard/submission/verdict.ts";
import { FlowService } from "../../src/gen/orchestrator/v1/flow_service_pb.ts";
import { HoldKind, RunState } from "../../src/gen/orchestrator/v1/run_pb.ts";
import { RunService } from "../../src/gen/orchestrator/v1/run_service_pb.ts";
import { eventually } from "../support/eventually.ts";
import { findFreePort } from "../support/free-port.ts";
import { createTestDatabase } from "../support/postgres.ts";
import { createTemporaryFolder } from "../support/temporary-folder.ts";
import { type ServiceProcess, startService } from "./campaign/service-process.ts";

const services: ServiceProcess[] = [];

const shared = await createTestDatabase();

afterEach(async () => {
  for (const service of services.splice(0)) await service.kill();
});

/** A tool that takes `tookMs` for every call. */
async function openSlowTool(tookMs: number): Promise<string> {
  const server = createServer((_request, response) => {
    setTimeout(() => response.writeHead(200, { "content-type": "application/json" }).end("{}"), tookMs);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

/** `call` takes as long as the tool does; then `after` makes the run take another event. */
const flow = (url: string): string => `
id: slow
name: Slow
version: "1"
workflow:
  tasks:
    - {id: call, type: http, parameters: {url: "${url}"}}
    - {id: after, type: transform, depends_on: [call], parameters: {output: done}}
`;

interface Place {
  readonly client: ApiClient;
  /** Starts the service, with or without waiting until it serves. */
  start(env?: Record<string, string>): ServiceProcess;
  begin(runId: string): Promise<void>;
  stateOf(runId: string): Promise<RunState>;
  /** Every line that the services have printed, as JSON. */
  readonly log: () => readonly string[];
}

async function openPlace(base: Record<string, string> = {}): Promise<Place> {
  const folder = createTemporaryFolder();
  const port = await findFreePort();
  const lines: string[] = [];
  const client = openGrpcClient({ address: `127.0.0.1:${port}` });
  onTestFinished(() => client.close());
  return {
    client,
    log: () => lines,
    start: (env = {}) => {
      const service = startService({
        dataDir: join(folder, "data"),
        port,
        logFile: join(folder, "service.log"),
        onLine: (line) => lines.push(line),
        env: { ORCHESTRATOR_TESTING: "true", ...base, ...env },
      });
      services.push(service);
      return service;
    },
    begin: async (runId) => void (await client.call(RunService.method.startRun, { flowId: "slow", runId })),
    stateOf: async (runId) => {
      const { run } = await client.call(RunService.method.getRun, { runId });
      return run?.state ?? RunState.UNSPECIFIED;
    },
  };
}

const register = (client: ApiClient, url: string) =>
  client.call(FlowService.method.registerFlow, { definition: { case: "source", value: flow(url) } });

const names = (count: number): string[] => Array.from({ length: count }, (_, index) => `run-${index}`);

const completes = (place: Place, runId: string): Promise<void> =>
  eventually(
    async () => {
      const { run } = await place.client.call(RunService.method.getRun, { runId });
      expect({ runId, state: run?.state, error: run?.error?.message }).toEqual({
        runId,
        state: RunState.COMPLETED,
        error: undefined,
      });
    },
    { timeoutMs: 25_000, intervalMs: 100 },
  );

test("ten runs in a long call survive eight kills at any pace: none is held, all complete", {
  timeout: 180_000,
}, async () => {
  const place = await openPlace();
  const url = await openSlowTool(5_000);
  let service = place.start();
  await service.serving;
  await register(place.client, url);
  const runIds = names(10);
  for (const runId of runIds) await place.begin(runId);
  // The pace of the report (1.5 s after each start), and paces that hit the start, the takeover, and what follows it.
  for (const afterMs of [1_500, 1_500, 1_500, 1_500, 700, 900, 1_100, 2_500]) {
    await service.kill();
    service = place.start();
    await sleep(afterMs);
  }
  await service.serving;
  for (const runId of runIds) expect(await place.stateOf(runId)).toBe(RunState.RUNNING);
  for (const runId of runIds) await completes(place, runId);
  expect(place.log().filter((line) => line.includes("quarantine"))).toEqual([]);
});

/**
 * Starts the service again and again until nothing is left that could end it: `bad` is held, and the others have ended.
 * Returns the code and signal of each death.
 */
async function untilItStays(place: Place, env: Record<string, string>, runIds: readonly string[]) {
  const deaths: { readonly code: number | null; readonly signal: string | null }[] = [];
  const isQuiet = async (): Promise<boolean> => {
    for (const runId of runIds) if ((await place.stateOf(runId)) !== RunState.COMPLETED) return false;
    return (await place.stateOf("bad")) === RunState.QUARANTINED;
  };
  for (;;) {
    const service = place.start(env);
    while (!service.isOver) {
      // It does not answer while it starts or dies.
      if (await isQuiet().catch(() => false)) return deaths;
      await sleep(100);
    }
    deaths.push(await service.ended);
    expect(deaths.length).toBeLessThan(10);
  }
}

test.each([
  { what: "blocks its event loop", failPoints: "run.decide[bad]=block:600000@2", signal: "SIGALRM", most: 1 },
  {
    what: "aborts its process when it takes an event",
    failPoints: "run.decide[bad]=abort@2",
    signal: "SIGABRT",
    most: 3,
  },
  {
    what: "aborts its process when it is taken over",
    failPoints: "takeover.run[bad]=abort,run.decide[bad]=abort@2",
    signal: "SIGABRT",
    most: 3,
  },
])(
  "a run that $what is held alone after at most $most deaths, ten others complete",
  { timeout: 180_000 },
  async (given) => {
    const place = await openPlace({ ORCHESTRATOR_MAX_LOOP_STALL: "2s" });
    const url = await openSlowTool(1_000);
    const first = place.start({ ORCHESTRATOR_FAIL_POINTS: given.failPoints });
    await first.serving;
    await register(place.client, url);
    const runIds = names(10);
    for (const runId of runIds) await place.begin(runId);
    await place.begin("bad");
    const death = await first.ended;
    expect(death.signal).toBe(given.signal);
    const deaths = await untilItStays(place, { ORCHESTRATOR_FAIL_POINTS: given.failPoints }, runIds);
    expect([death, ...deaths].map(({ signal }) => signal)).toEqual([death, ...deaths].map(() => given.signal));
    expect(1 + deaths.length).toBeLessThanOrEqual(given.most);
    for (const runId of runIds) await completes(place, runId);
    expect(await place.stateOf("bad")).toBe(RunState.QUARANTINED);
    const { run } = await place.client.call(RunService.method.getRun, { runId: "bad" });
    expect(run?.holds).toMatchObject([{ kind: HoldKind.QUARANTINE }]);
    expect(place.log().filter((line) => line.includes("is put into quarantine"))).toHaveLength(1);
    if (given.signal === "SIGALRM") {
      const said = place.log().filter((line) => line.includes("the event loop stood still"));
      expect(said.map((line) => JSON.parse(line))).toMatchObject([{ level: "error", run_id: "bad", limit_ms: 2_000 }]);
    }
  },
);

test("kills at random hold none of thirty runs, and a run that kills is held among them", {
  timeout: 300_000,
}, async () => {
  const place = await openPlace({ ORCHESTRATOR_FAIL_POINTS: "takeover.run[bad]=abort" });
  const url = await openSlowTool(5_000);
  let service = place.start();
  await service.serving;
  await register(place.client, url);
  const runIds = names(30);
  for (const runId of [...runIds, "bad"]) await place.begin(runId);
  await service.kill();
  const held = (): string[] =>
    place
      .log()
      .filter((line) => line.includes("is put into quarantine"))
      .map((line) => (JSON.parse(line) as { readonly run_id: string }).run_id);
  const atRandom = (): Promise<void> => sleep(200 + 1_300 * Math.random());
  let own = 0;
  let outside = 0;
  while (held().length === 0) {
    service = place.start();
    // Every other process is left to the run.
    if (own > outside) await Promise.race([service.ended, atRandom()]);
    else while (!service.isOver && held().length === 0) await sleep(20);
    if (held().length > 0) break;
    if (service.isOver) own += 1;
    else outside += 1;
    await service.kill();
    expect(own).toBeLessThanOrEqual(MAX_DEATHS + outside);
  }
  for (let kill = 0; kill < 12; kill += 1) {
    await service.kill();
    service = place.start();
    await atRandom();
  }
  await service.serving;
  for (const runId of runIds) await completes(place, runId);
  expect(held()).toEqual(["bad"]);
  expect(await place.stateOf("bad")).toBe(RunState.QUARANTINED);
});

test("a loop that stands still with no current run ends the process and blames nobody", {
  timeout: 60_000,
}, async () => {
  const place = await openPlace({ ORCHESTRATOR_MAX_LOOP_STALL: "1s", ORCHESTRATOR_LEASE_TTL: "3s" });
  const url = await openSlowTool(8_000);
  // The block comes about 6 s after the start: the service must be serving by then.
  const service = place.start({ ORCHESTRATOR_FAIL_POINTS: "lease.renew=block:600000@6" });
  await service.serving;
  await register(place.client, url);
  await place.begin("innocent");
  expect(await service.ended).toEqual({ code: null, signal: "SIGALRM" });
  const said = place.log().filter((line) => line.includes("the event loop stood still"));
  expect(said.map((line) => JSON.parse(line))).toMatchObject([{ message: expect.stringContaining("no current run") }]);
  await place.start().serving;
  await completes(place, "innocent");
});

test("a process that was stopped as a whole goes on when it is continued, and blames nobody", {
  timeout: 60_000,
}, async () => {
  const place = await openPlace({ ORCHESTRATOR_MAX_LOOP_STALL: "1s", ORCHESTRATOR_LEASE_TTL: "2s" });
  const url = await openSlowTool(2_000);
  const service = place.start();
  await service.serving;
  await register(place.client, url);
  await place.begin("innocent");
  for (let stop = 0; stop < 2; stop += 1) {
    process.kill(service.pid, "SIGSTOP");
    await sleep(2_500);
    process.kill(service.pid, "SIGCONT");
    await sleep(1_500);
  }
  expect(service.isOver).toBe(false);
  await completes(place, "innocent");
  expect(place.log().filter((line) => line.includes("stood still"))).toEqual([]);
});

test("of two instances the one that lives holds the run that killed the other, after three deaths", {
  timeout: 180_000,
}, async () => {
  const env = {
    DATABASE_URL: shared.url,
    ORCHESTRATOR_LEASE_TTL: "3s",
    ORCHESTRATOR_FAIL_POINTS: "run.decide[bad]=abort@2",
  };
  const [one, two] = [await openPlace(env), await openPlace(env)];
  const url = await openSlowTool(1_500);
  const places = [one, two];
  const alive = places.map((place) => place.start());
  await Promise.all(alive.map((service) => service.serving));
  await register(one.client, url);
  const runIds = names(10);
  for (const [index, runId] of runIds.entries()) await (places[index % 2] as Place).begin(runId);
  await one.begin("bad");
  // A supervisor starts again what has died; the shards go back and forth meanwhile.
  let deaths = 0;
  const until = performance.now() + 60_000;
  while (performance.now() < until) {
    for (const [index, service] of alive.entries()) {
      if (!service.isOver) continue;
      deaths += 1;
      alive[index] = (places[index] as Place).start();
    }
    const quarantined = places
      .flatMap((place) => place.log())
      .filter((line) => line.includes("is put into quarantine"));
    if (quarantined.length > 0) break;
    await sleep(50);
  }
  expect(deaths).toBe(3);
  await Promise.all(alive.map((service) => service.serving));
  for (const runId of runIds) await completes(one, runId);
  expect(await eventually(() => two.stateOf("bad"), { timeoutMs: 20_000 })).toBe(RunState.QUARANTINED);
});
