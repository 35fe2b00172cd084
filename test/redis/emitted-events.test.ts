/** Events of flows in Redis Streams, read by redis-cli. */
import { expect, inject, test } from "vitest";
import { RunState } from "../../src/gen/orchestrator/v1/run_pb.ts";
import { eventually } from "../support/eventually.ts";
import { type RedisServer, startRedisForTest } from "../support/redis-server.ts";
import { openWorkerBed } from "../support/worker-service.ts";

const skips = inject("redis") === 0;

const chain = (stream: string, count: number): string =>
  `  tasks:\n${Array.from({ length: count }, (_, n) => {
    const after = n === 0 ? "" : `, depends_on: [e${n - 1}]`;
    return `    - {id: e${n}, type: emit${after}, parameters: {stream: ${stream}, payload: {n: ${n}}, headers: {kind: x}}}\n`;
  }).join("")}`;

/** How many messages to Streams have arrived, as the metrics say: all, and within the first bound. */
async function readDelays(metricsPort: number): Promise<{ readonly all: number; readonly first: number }> {
  const text = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
  const read = (suffix: string): number => Number(text.match(new RegExp(`${suffix}\\} (\\d+)$`, "m"))?.[1]);
  const name = "orchestrator_outbox_delivery_seconds_";
  return {
    all: read(`${name}count\\{destination="stream"`),
    first: read(`${name}bucket\\{destination="stream",le="0.005"`),
  };
}

/** The entries of a Stream, oldest first. */
function readStream(redis: RedisServer, name: string): readonly Readonly<Record<string, string>>[] {
  const lines = redis.cli("XRANGE", name, "-", "+").trim().split("\n");
  const entries: Record<string, string>[] = [];
  for (let at = 0; at + 16 < lines.length; at += 17) {
    const fields = lines.slice(at + 1, at + 17);
    entries.push(Object.fromEntries(fields.flatMap((name, n) => (n % 2 === 0 ? [[name, fields[n + 1] ?? ""]] : []))));
  }
  return entries;
}

test.skipIf(skips)(
  "an event is an entry of its Stream with all that tells what it is, in the order of the run",
  async () => {
    const redis = await startRedisForTest();
    const bed = await openWorkerBed({ ORCHESTRATOR_REDIS_URL: redis.url, ORCHESTRATOR_REDIS_CHANNEL_PREFIX: "app:" });
    await bed.register("tell", chain("paid", 3));
    const runId = await bed.start("tell");
    await bed.reaches(runId, RunState.COMPLETED);
    await eventually(() => expect(readStream(redis, "app:paid")).toHaveLength(3));
    const entries = readStream(redis, "app:paid");
    expect(entries[0]).toEqual({
      ...{ id: `${runId}/e0/0`, run_id: runId, flow_id: "tell", task_id: "e0", type: "event" },
      ...{ payload: '{"n":0}', headers: '{"kind":"x"}', sequence: expect.stringMatching(/^\d+$/) },
    });
    expect(entries.map(({ payload }) => payload)).toEqual(['{"n":0}', '{"n":1}', '{"n":2}']);
  },
);

test.skipIf(skips)("Redis away costs a run nothing: what it emitted comes later, in its order", async () => {
  const redis = await startRedisForTest();
  const bed = await openWorkerBed({ ORCHESTRATOR_REDIS_URL: redis.url });
  await bed.register("good", chain("good", 3));
  await redis.stop();
  const runIds = await Promise.all(Array.from({ length: 10 }, () => bed.start("good")));
  for (const runId of runIds) await bed.reaches(runId, RunState.COMPLETED);
  const { metricsPort } = bed.service();
  expect(await readDelays(metricsPort)).toEqual({ all: 0, first: 0 });
  await redis.start();
  await eventually(() => expect(readStream(redis, "good")).toHaveLength(30), { timeoutMs: 20_000 });
  for (const runId of runIds) {
    const own = readStream(redis, "good").filter(({ run_id }) => run_id === runId);
    expect(own.map(({ payload }) => payload)).toEqual(['{"n":0}', '{"n":1}', '{"n":2}']);
  }
  // All of them waited for Redis.
  expect(await readDelays(metricsPort)).toEqual({ all: 30, first: 0 });
});

test.skipIf(skips)("a key that is no Stream rejects its events, and others pass", async () => {
  const redis = await startRedisForTest();
  const bed = await openWorkerBed({ ORCHESTRATOR_REDIS_URL: redis.url });
  redis.cli("SET", "bad", "text");
  await bed.register("both", `${chain("bad", 1)}    - {id: f, type: emit, parameters: {stream: good, payload: 1}}\n`);
  await bed.reaches(await bed.start("both"), RunState.COMPLETED);
  await eventually(() => expect(readStream(redis, "good")).toHaveLength(1));
  await eventually(() => expect(bed.service().output()).toMatch(/WRONGTYPE.*a message can never be sent/));
});

test.skipIf(skips)("a Stream keeps about as many entries as the setting says", async () => {
  const redis = await startRedisForTest();
  const bed = await openWorkerBed({
    ORCHESTRATOR_REDIS_URL: redis.url,
    ORCHESTRATOR_REDIS_STREAM_MAX_LENGTH: "100",
  });
  await bed.register(
    "many",
    "  tasks: [{id: m, type: map, parameters: {items: '${vars.items}', task: {type: emit, parameters: {stream: s, payload: 1}}}}]\nvariables: [{name: items, type: array}]\n",
  );
  await bed.reaches(await bed.start("many", { items: Array.from({ length: 1_000 }, (_, n) => n) }), RunState.COMPLETED);
  await eventually(() => expect(redis.cli("XINFO", "STREAM", "s")).toMatch(/entries-added\n1000\b/));
  const length = Number(redis.cli("XLEN", "s"));
  expect(length).toBeGreaterThanOrEqual(100);
  expect(length).toBeLessThan(400);
});
