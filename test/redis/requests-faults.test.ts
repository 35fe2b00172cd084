/** Requests over Redis when instances and Redis die: each starts its run once, and every end is told. */
import { spawnSync } from "node:child_process";
import { expect, inject, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import { createTestDatabase } from "../support/postgres.ts";
import { type RedisServer, startRedisForTest } from "../support/redis-server.ts";
import type { ServeProcess } from "../support/serve-process.ts";
import { hear, openRuns, request, startInstance } from "../support/workflow-requests.ts";

const skips = inject("redis") === 0;

const STREAMS = {
  ORCHESTRATOR_WORKFLOW_REQUESTS: "stream:requests",
  ORCHESTRATOR_WORKFLOW_RESPONSES: "workflow-responses,stream:responses",
};

const isHeard = (service: ServeProcess) =>
  eventually(() => expect(service.output()).toContain('"message":"channels are heard"'));

const add = (redis: RedisServer, count: number, from = 0) =>
  spawnSync("redis-cli", ["-p", String(redis.port)], {
    input: Array.from({ length: count }, (_, index) => {
      const body = { correlation_id: `c${from + index}`, workflow_template: "sum", variables: { a: index } };
      return `XADD requests * message ${JSON.stringify(JSON.stringify(body))}`;
    }).join("\n"),
  });

test.skipIf(skips)(
  "the owner is killed right after a request: its run exists once, in 20 rounds",
  { timeout: 400_000 },
  async () => {
    const redis = await startRedisForTest();
    const { url } = await createTestDatabase();
    const runs = openRuns(url);
    let [first, second] = await Promise.all([startInstance(url, redis), startInstance(url, redis)]);
    const ROUNDS = 20;
    for (let round = 0; round < ROUNDS; round++) {
      await Promise.all([isHeard(first), isHeard(second)]);
      for (let index = 0; index < 10; index++)
        request(redis, { correlation_id: `r${round}-${index}`, workflow_template: "sum", variables: { a: index } });
      // One that is well on its way, and one that has hardly begun.
      if (round % 2 === 0) await eventually(async () => expect(await runs.list()).not.toHaveLength(10 * round));
      first.child.kill("SIGKILL");
      await eventually(async () => expect(await runs.list()).toHaveLength(10 * (round + 1)), { timeoutMs: 30_000 });
      const next = startInstance(url, redis);
      [first, second] = [second, await next];
    }
    const all = await runs.list();
    expect(all).toHaveLength(10 * ROUNDS);
    expect(new Set(all.map(({ correlation_id }) => correlation_id)).size).toBe(10 * ROUNDS);
  },
);

test.skipIf(skips)(
  "a Stream loses nothing when the instance that reads it is killed under load",
  { timeout: 180_000 },
  async () => {
    const redis = await startRedisForTest();
    const { url } = await createTestDatabase();
    const runs = openRuns(url);
    // Entries that were there before anybody read.
    add(redis, 50);
    const [first] = await Promise.all([startInstance(url, redis, STREAMS), startInstance(url, redis, STREAMS)]);
    const heard = await hear(redis);
    add(redis, 450, 50);
    await eventually(async () => expect((await runs.list()).length).toBeGreaterThan(50), { intervalMs: 1 });
    first.child.kill("SIGKILL");
    await eventually(async () => expect(await runs.list()).toHaveLength(500), { timeoutMs: 90_000, intervalMs: 200 });
    await eventually(() => expect(redis.cli("XPENDING", "requests", "orchestrator")).toMatch(/^0\n/), {
      timeoutMs: 60_000,
      intervalMs: 200,
    });
    expect(new Set((await runs.list()).map(({ correlation_id }) => correlation_id)).size).toBe(500);
    await eventually(async () => expect(await runs.sql("SELECT 1 FROM orchestrator.outbox")).toEqual([]));
    // Each end is told at least once, over both ways.
    const ended = redis
      .cli("XRANGE", "responses", "-", "+")
      .match(/"execution_id":"[^"]*","correlation_id":"c\d+","status":"completed"/g);
    expect(new Set(ended).size).toBe(500);
    expect(heard.length).toBeGreaterThan(0);

    redis.cli("FLUSHALL");
    add(redis, 1, 1_000);
    await eventually(async () => expect(await runs.list()).toHaveLength(501));
    redis.cli("XADD", "requests", "*", "message", "poison");
    redis.cli("XADD", "requests", "*", "a", "1", "b", "2");
    await eventually(async () => expect((await runs.list()).filter(({ state }) => state === "FAILED")).toHaveLength(2));
    await eventually(() => expect(redis.cli("XPENDING", "requests", "orchestrator")).toMatch(/^0\n/));
  },
);

test.skipIf(skips)(
  "the end is told after a death between its commit and its answer",
  { timeout: 120_000 },
  async () => {
    const redis = await startRedisForTest();
    const { url } = await createTestDatabase();
    const runs = openRuns(url);
    const doomed = await startInstance(url, redis, {
      ORCHESTRATOR_TESTING: "true",
      ORCHESTRATOR_FAIL_POINTS: "effects.before=kill",
    });
    await isHeard(doomed);
    const heard = await hear(redis);
    request(redis, { correlation_id: "c", workflow_template: "sum", variables: { a: 1 } });
    await eventually(() => expect(doomed.child.signalCode).toBe("SIGKILL"));
    expect(await runs.list()).toMatchObject([{ state: "COMPLETED" }]);
    expect(heard).toHaveLength(0);
    await startInstance(url, redis);
    await eventually(() => expect(heard.map(({ status }) => status)).toEqual(["running", "completed"]), {
      timeoutMs: 30_000,
    });
  },
);

test.skipIf(skips)("Redis dies, freezes, and comes back: requests start runs again", { timeout: 120_000 }, async () => {
  const redis = await startRedisForTest();
  const { url } = await createTestDatabase();
  const runs = openRuns(url);
  const both = { ORCHESTRATOR_WORKFLOW_REQUESTS: "workflow-requests,stream:requests" };
  const service = await startInstance(url, redis, both);
  const count = (pattern: string) => service.output().split(pattern).length - 1;
  await isHeard(service);
  let total = 0;
  const works = async () => {
    total += 2;
    request(redis, { correlation_id: `p${total}`, workflow_template: "sum", variables: { a: 1 } });
    add(redis, 1, total);
    await eventually(async () => expect(await runs.list()).toHaveLength(total), { timeoutMs: 20_000 });
  };
  await works();
  await redis.stop("SIGKILL");
  await eventually(() => expect(count("channels are not heard")).toBe(1));
  await redis.start();
  await eventually(() => expect(count('"channels are heard')).toBe(2), { timeoutMs: 20_000 });
  await works();
  redis.signal("SIGSTOP");
  await eventually(() => expect(count("channels are not heard")).toBe(2), { timeoutMs: 20_000 });
  redis.signal("SIGCONT");
  await eventually(() => expect(count('"channels are heard')).toBe(3), { timeoutMs: 20_000 });
  await works();
  // A stop does not wait for a server that stands still.
  redis.signal("SIGSTOP");
  await fetch(`http://${service.address}/api/v1/workflows`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ workflow_template: "sum", variables: { a: 1 } }),
  });
  const begun = performance.now();
  expect(await service.stop()).toBe(0);
  expect(performance.now() - begun).toBeLessThan(10_000);
});

// Cause: answers had a gauge and no limit, so that a Redis that is away for long filled the database.
test.skipIf(skips)(
  "answers that wait for Redis show, and of too many the oldest fall out",
  { timeout: 120_000 },
  async () => {
    const redis = await startRedisForTest();
    const { url } = await createTestDatabase();
    const service = await startInstance(url, redis, {
      ...{ ORCHESTRATOR_WORKFLOW_RESPONSES: "stream:responses", ORCHESTRATOR_REDIS_MAX_UNSENT_MESSAGES: "40" },
    });
    await isHeard(service);
    await redis.stop("SIGKILL");
    const start = async (correlation_id: string) => {
      const body = JSON.stringify({ workflow_template: "sum", variables: { a: 1 }, correlation_id });
      const init = { method: "POST", headers: { "content-type": "application/json" }, body };
      const response = await fetch(`http://${service.address}/api/v1/workflows`, init);
      expect(response.status).toBe(202);
      return String(((await response.json()) as { readonly execution_id: string }).execution_id);
    };
    const metric = async (name: string): Promise<number> => {
      const metrics = await (await fetch(`http://127.0.0.1:${service.metricsPort}/metrics`)).text();
      return Number(
        metrics
          .split("\n")
          .find((line) => line.startsWith(name))
          ?.split(" ")
          .at(-1) ?? 0,
      );
    };
    for (const name of ["a", "b", "c"]) await start(name);
    await eventually(
      async () => expect(await metric('orchestrator_outbox_messages{carrier="answers",place=""')).toBe(6),
      {
        timeoutMs: 30_000,
      },
    );
    const ids = await Promise.all(Array.from({ length: 40 }, (_, index) => start(`d${index}`)));
    // Executions go on meanwhile.
    const runs = openRuns(url);
    const isEnded = () =>
      runs.list().then((all) => all.every(({ state }) => state === "COMPLETED") && all.length === 43);
    await eventually(async () => expect(await isEnded()).toBe(true));
    await eventually(
      async () => {
        const waiting = await runs.sql("SELECT 1 FROM orchestrator.outbox WHERE destination = 'redis'");
        expect(waiting.length).toBeLessThanOrEqual(40);
        expect(await metric("orchestrator_outbox_dropped_total")).toBe(86 - waiting.length);
      },
      { timeoutMs: 30_000 },
    );
    const full = "the outbox is full: executions go on, and the oldest answers that wait for Redis are dropped";
    await eventually(() => expect(service.output()).toContain(full));
    // Those that are left come, and what has fallen out can be asked for.
    await redis.start();
    await eventually(async () => expect(await runs.sql("SELECT 1 FROM orchestrator.outbox")).toEqual([]), {
      timeoutMs: 30_000,
    });
    const told = redis.cli("XRANGE", "responses", "-", "+");
    expect(told).toContain('"status":"completed"');
    for (const name of ["a", "b", "c"]) expect(told).not.toContain(`"correlation_id":"${name}"`);
    await eventually(async () => expect(await metric('orchestrator_outbox_full{carrier="answers",place=""')).toBe(0));
    const answer = await fetch(`http://${service.address}/api/v1/workflows/${ids[0]}/status`);
    expect(await answer.json()).toMatchObject({ status: "completed", output: { sum: 2 } });
  },
);
