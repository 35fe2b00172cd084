/** The way to agents while Redis stands still or refuses. */
import { expect, inject, onTestFinished, test } from "vitest";
import { silentLog } from "../../src/base/log.ts";
import { openAgentPost } from "../../src/bus/redis/agents/post.ts";
import type { AgentRequest } from "../../src/engine/ports/dispatch/agents.ts";
import { eventually } from "../support/eventually.ts";
import { startRedisForTest } from "../support/redis-server.ts";

const skips = inject("redis") === 0;

const request = {
  ...{ kind: "data", token: "t" },
  task: { runId: "r", path: "a", attempt: 1, timeoutMs: null, correlationId: "", inputJson: Buffer.from("{}") },
} as unknown as AgentRequest;

/** Publishes for 20 tasks once `hinder` has run, and once more when `relieve` has. */
async function publishTwenty(
  requests: string,
  hinder: (redis: Awaited<ReturnType<typeof startRedisForTest>>) => void,
  relieve: typeof hinder,
): Promise<void> {
  const warnings: string[] = [];
  const note = (warning: Error): void => void warnings.push(warning.message);
  process.on("warning", note);
  onTestFinished(() => void process.off("warning", note));
  const redis = await startRedisForTest();
  const post = openAgentPost({
    address: { url: redis.url },
    channels: new Map([["data", { requests, control: null }]]),
    metrics: { requested() {} },
    log: silentLog,
  });
  onTestFinished(() => post.close());
  await eventually(() => expect(post.isReady).toBe(true));
  hinder(redis);
  const arrivals = await Promise.all(Array.from({ length: 20 }, () => post.publish(request)));
  expect(new Set(arrivals)).toEqual(new Set(["away"]));
  // Warnings come a turn later.
  await new Promise((resolve) => setImmediate(resolve));
  expect(warnings).toEqual([]);
  relieve(redis);
  await eventually(async () => expect(await post.publish(request)).not.toBe("away"), { timeoutMs: 15_000 });
}

test.skipIf(skips)("20 tasks that wait for a frozen Redis give up its connection once", { timeout: 30_000 }, () =>
  publishTwenty(
    "data-requests",
    (redis) => redis.signal("SIGSTOP"),
    (redis) => redis.signal("SIGCONT"),
  ),
);

test.skipIf(skips)("20 tasks that a read-only Redis refuses give up its connection once", { timeout: 30_000 }, () =>
  publishTwenty(
    "stream:data-requests",
    (redis) => redis.cli("REPLICAOF", "127.0.0.1", "1"),
    (redis) => redis.cli("REPLICAOF", "NO", "ONE"),
  ),
);
