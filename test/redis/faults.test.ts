/** Redis breaks in every way while runs go on: only its keys change. */
import { connect } from "node:net";
import { expect, inject, test } from "vitest";
import { RunState } from "../../src/gen/orchestrator/v1/run_pb.ts";
import { eventually } from "../support/eventually.ts";
import { createTestDatabase } from "../support/postgres.ts";
import { type RedisServer, startRedisForTest } from "../support/redis-server.ts";
import { openWorkerBed } from "../support/worker-service.ts";

const RUNS = 60;

/** A way in which Redis breaks, and how it is fixed. */
interface Fault {
  readonly name: string;
  readonly begin: (redis: RedisServer) => unknown;
  readonly end: (redis: RedisServer) => unknown;
  /** The state of the connection that shows meanwhile. */
  readonly shows: "connected" | "disconnected";
  /** In the reason that is logged. */
  readonly reason?: RegExp;
}

const FAULTS: readonly Fault[] = [
  { name: "killed", begin: (redis) => redis.stop("SIGKILL"), end: (redis) => redis.start(), shows: "disconnected" },
  { name: "emptied", begin: (redis) => redis.cli("FLUSHALL"), end: () => {}, shows: "connected" },
  {
    name: "frozen",
    begin: (redis) => redis.signal("SIGSTOP"),
    end: (redis) => redis.signal("SIGCONT"),
    shows: "disconnected",
    reason: /no answer/,
  },
  {
    name: "a read-only replica",
    begin: (redis) => redis.cli("REPLICAOF", "127.0.0.1", "1"),
    end: (redis) => redis.cli("REPLICAOF", "NO", "ONE"),
    shows: "disconnected",
    reason: /READONLY/,
  },
  {
    name: "full",
    begin: (redis) => redis.cli("CONFIG", "SET", "maxmemory", "1"),
    end: (redis) => redis.cli("CONFIG", "SET", "maxmemory", "0"),
    shows: "disconnected",
    reason: /OOM/,
  },
  {
    name: "behind another password",
    begin: (redis) => {
      redis.cli("CONFIG", "SET", "requirepass", "other");
      redis.cli("-a", "other", "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
    },
    end: (redis) => redis.cli("-a", "other", "CONFIG", "SET", "requirepass", ""),
    shows: "disconnected",
    reason: /NOAUTH|closed/,
  },
];

test.skipIf(inject("redis") === 0)("Redis that breaks changes nothing but its keys", { timeout: 180_000 }, async () => {
  const redis = await startRedisForTest();
  await redis.stop();
  const { url } = await createTestDatabase();
  const bed = await openWorkerBed({ DATABASE_URL: url, ORCHESTRATOR_REDIS_URL: redis.url });
  await bed.register("short", "  tasks:\n    - {id: only, type: noop}\n");

  /** Runs to their end, and how long they took, milliseconds. */
  const runAll = async (): Promise<{ readonly runIds: readonly string[]; readonly ms: number }> => {
    const begun = performance.now();
    const runIds = await Promise.all(Array.from({ length: RUNS }, () => bed.start("short")));
    await Promise.all(runIds.map((runId) => bed.reaches(runId, RunState.COMPLETED)));
    return { runIds, ms: performance.now() - begun };
  };
  const shows = (state: string) =>
    eventually(
      async () => {
        expect((await fetch(`http://${bed.address}/readyz`)).status).toBe(200);
        const response = await fetch(`http://127.0.0.1:${bed.service().metricsPort}/health`);
        expect(response.status).toBe(200);
        expect(await response.json()).toMatchObject({ status: "healthy", missing: [], redis: { state } });
        const metrics = await (await fetch(`http://127.0.0.1:${bed.service().metricsPort}/metrics`)).text();
        expect(metrics).toContain(`orchestrator_connected{to="redis"} ${state === "connected" ? 1 : 0}`);
      },
      { timeoutMs: 20_000, intervalMs: 50 },
    );
  const areShown = (runIds: readonly string[]) =>
    eventually(
      () => {
        const states = redis.cli("MGET", ...runIds.map((runId) => `run:${runId}:state`));
        expect(states.match(/"status":"COMPLETED","tasks"/g)).toHaveLength(runIds.length);
      },
      { timeoutMs: 20_000 },
    );
  /** What the log says of changes. */
  const changes = (): readonly { readonly message: string; readonly reason?: string }[] =>
    bed
      .service()
      .output()
      .split("\n")
      .filter((line) => /"Redis (answers|does not answer)/.test(line))
      .map((line) => JSON.parse(line));

  await runAll();
  const absent = await runAll();
  await shows("disconnected");
  expect(changes()).toMatchObject([{ message: expect.stringContaining("does not answer") }]);
  await redis.start();
  await shows("connected");
  await areShown(absent.runIds);
  const well = await runAll();
  await areShown(well.runIds);
  expect(absent.ms).toBeLessThan(4 * well.ms);

  let expected = 2;
  for (const { name, begin, end, shows: state, reason } of FAULTS) {
    await begin(redis);
    const { runIds, ms } = await runAll();
    expect(ms, name).toBeLessThan(4 * well.ms);
    await shows(state);
    const { runIds: later } = await runAll();
    await end(redis);
    await shows("connected");
    await areShown([...runIds, ...later]);
    if (state === "disconnected") expected += 2;
    await eventually(() => expect(changes(), name).toHaveLength(expected));
    if (reason !== undefined) expect(changes().at(-2)?.reason, name).toMatch(reason);
  }
});

test.skipIf(inject("redis") === 0)("a port that accepts and never answers holds up nothing", async () => {
  const redis = await startRedisForTest();
  redis.signal("SIGSTOP");
  // It accepts: the kernel does so for it.
  await new Promise<void>((resolve) =>
    connect(redis.port, "127.0.0.1", function (this: { destroy(): void }) {
      this.destroy();
      resolve();
    }),
  );
  const bed = await openWorkerBed({ ORCHESTRATOR_REDIS_URL: redis.url });
  await bed.register("short", "  tasks:\n    - {id: only, type: noop}\n");
  const runId = await bed.start("short");
  await bed.reaches(runId, RunState.COMPLETED);
  redis.signal("SIGCONT");
  await eventually(() => expect(redis.cli("GET", `run:${runId}:state`)).toContain('"status":"COMPLETED"'), {
    timeoutMs: 40_000,
  });
});
