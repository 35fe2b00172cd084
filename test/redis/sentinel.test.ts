/** Three Sentinels that name the primary, and a cluster, which is refused by name. */
import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, inject, onTestFinished, test } from "vitest";
import { RunState } from "../../src/gen/orchestrator/v1/run_pb.ts";
import { eventually } from "../support/eventually.ts";
import { findFreePort } from "../support/free-port.ts";
import { createTestDatabase } from "../support/postgres.ts";
import { runRedisCommand, startRedisForTest } from "../support/redis-server.ts";
import { createTemporaryFolder } from "../support/temporary-folder.ts";
import { openWorkerBed } from "../support/worker-service.ts";

const skips = inject("redis") === 0;

/** Starts three Sentinels of a primary; two must agree that it is gone. Returns their ports. */
async function startSentinels(primary: number): Promise<readonly number[]> {
  const ports: number[] = [];
  for (let index = 0; index < 3; index++) {
    const port = await findFreePort();
    const file = join(createTemporaryFolder(), "sentinel.conf");
    const lines = [
      `port ${port}`,
      "bind 127.0.0.1",
      `sentinel monitor main 127.0.0.1 ${primary} 2`,
      "sentinel auth-pass main secret",
      "sentinel down-after-milliseconds main 1000",
      "sentinel failover-timeout main 3000",
    ];
    writeFileSync(file, `${lines.join("\n")}\n`);
    const child = spawn("redis-server", [file, "--sentinel"], { stdio: "ignore" });
    onTestFinished(() => void child.kill("SIGKILL"));
    ports.push(port);
  }
  for (const port of ports)
    await eventually(
      () => {
        const known = runRedisCommand(port, "SENTINEL", "MASTER", "main");
        expect(known).toMatch(/num-other-sentinels\n2\n/);
        expect(known).toMatch(/num-slaves\n1\n/);
      },
      { timeoutMs: 30_000, intervalMs: 200 },
    );
  return ports;
}

test.skipIf(skips)(
  "the primary that Sentinels name has the states and the requests, and after its death the next one",
  { timeout: 150_000 },
  async () => {
    const secret = ["--requirepass", "secret", "--masterauth", "secret"];
    const first = await startRedisForTest(...secret);
    const second = await startRedisForTest(...secret, "--replicaof", `127.0.0.1 ${first.port}`);
    const sentinels = await startSentinels(first.port);
    const { url } = await createTestDatabase();
    const hosts = sentinels.map((port) => `127.0.0.1:${port}`).join(",");
    const bed = await openWorkerBed({
      DATABASE_URL: url,
      ORCHESTRATOR_REDIS_URL: `redis+sentinel://:secret@${hosts}/main/0`,
    });
    await bed.register("short", "  tasks:\n    - {id: only, type: noop}\n");
    const shown = async (port: number): Promise<void> => {
      const runId = await bed.start("short");
      await bed.reaches(runId, RunState.COMPLETED);
      await eventually(
        () => expect(runRedisCommand(port, "-a", "secret", "GET", `run:${runId}:state`)).toContain("COMPLETED"),
        { timeoutMs: 60_000 },
      );
    };
    await shown(first.port);
    await first.stop("SIGKILL");
    await shown(second.port);
    // Requests are heard there, too.
    await eventually(
      () => expect(runRedisCommand(second.port, "-a", "secret", "PUBLISH", "workflow-requests", "{}")).toContain("1"),
      { timeoutMs: 30_000 },
    );
    expect(bed.service().output()).not.toContain("secret");
  },
);

test.skipIf(skips)("a server of a cluster costs no run, and is named", { timeout: 90_000 }, async () => {
  const nodes = await Promise.all([1, 2, 3].map(() => startRedisForTest("--cluster-enabled", "yes")));
  const [first, ...others] = nodes;
  if (first === undefined) throw new Error("there is no node");
  for (const { port } of others) first.cli("CLUSTER", "MEET", "127.0.0.1", String(port));
  for (const [index, node] of nodes.entries())
    node.cli("CLUSTER", "ADDSLOTSRANGE", String(index * 5_461), String(index === 2 ? 16_383 : index * 5_461 + 5_460));
  await eventually(() => expect(first.cli("CLUSTER", "INFO")).toContain("cluster_state:ok"), { timeoutMs: 30_000 });
  const { url } = await createTestDatabase();
  const bed = await openWorkerBed({ DATABASE_URL: url, ORCHESTRATOR_REDIS_URL: first.url });
  await bed.register("short", "  tasks:\n    - {id: only, type: noop}\n");
  await eventually(async () => {
    await bed.reaches(await bed.start("short"), RunState.COMPLETED);
    expect(bed.service().output()).toMatch(/MOVED.*belongs to a Redis Cluster, which is not supported/);
  });
});
