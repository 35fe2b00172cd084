/** What a service costs Redis while nothing is to be done. */
import { expect, inject, test } from "vitest";
import { RunState } from "../../src/gen/orchestrator/v1/run_pb.ts";
import { openAgentTaskBed } from "../support/agent-tasks.ts";
import { eventually } from "../support/eventually.ts";
import { openForeignAgent } from "../support/foreign-agent.ts";
import { createTestDatabase } from "../support/postgres.ts";
import { startRedisForTest } from "../support/redis-server.ts";
import { countStatements } from "../support/statement-counter.ts";
import { openWorkerBed } from "../support/worker-service.ts";

const skips = inject("redis") === 0;

test.skipIf(skips)("Streams of answers have connections only once an agent is asked or has answered", async () => {
  const redis = await startRedisForTest();
  const connections = () => redis.cli("CLIENT", "LIST").match(/name=orchestrator\b/g)?.length ?? 0;
  const { bed, of, prefix } = await openAgentTaskBed(redis.port);
  await eventually(() => expect(bed.service().output()).toContain("channels are heard"));
  // One for states and answers to requests, one that hears, one that publishes for agents.
  expect(connections()).toBe(3);
  await openForeignAgent(redis.port, of("data"), ({ correlation_id }, answer) => {
    void answer({ correlation_id, status: "completed", output: 1 });
  });
  await bed.register("one", "  tasks:\n    - {id: a, type: data, parameters: {operation: search}}\n");
  await bed.reaches(await bed.start("one"), RunState.COMPLETED);
  await eventually(() => expect(connections()).toBe(5));
  // A service that has asked nobody reads what is there.
  await bed.service().stop("SIGKILL");
  redis.cli("XADD", `${prefix}ai-responses`, "*", "message", "no answer");
  await bed.restart();
  await eventually(() => expect(bed.service().output()).toContain("streams are read"));
  expect(connections()).toBe(5);
});

test.skipIf(skips)(
  "a service with Redis asks the database less than once in a second while only canaries run, and two of them hardly more",
  { timeout: 400_000 },
  async () => {
    const redis = await startRedisForTest();
    const counter = await countStatements((await createTestDatabase()).url);
    const env = { DATABASE_URL: counter.url, ORCHESTRATOR_REDIS_URL: redis.url, ORCHESTRATOR_CANARY_INTERVAL: "1m" };
    const join = async (): Promise<void> => {
      const bed = await openWorkerBed(env);
      await eventually(() => expect(bed.service().output()).toContain("channels are heard"));
    };
    /** Statements in a second, for the time between two canaries. */
    const rate = async (): Promise<number> => {
      const from = counter.count();
      const startedAt = performance.now();
      await eventually(() => expect(performance.now() - startedAt).toBeGreaterThan(60_000), {
        ...{ timeoutMs: 90_000, intervalMs: 1_000 },
      });
      return (1_000 * (counter.count() - from)) / (performance.now() - startedAt);
    };
    // What they did at their start is counted for a while.
    const expectBelow = (limit: number): Promise<void> =>
      eventually(async () => expect(await rate()).toBeLessThan(limit), { timeoutMs: 130_000 });
    await join();
    await expectBelow(1);
    await join();
    await expectBelow(1.1);
  },
);
