/** An entry of a Stream that kills the owner of the run that it starts, whichever instance that is. */
import { createHash } from "node:crypto";
import { expect, inject, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import { MOST_DEATHS, openKilledPair } from "../support/killed-pair.ts";
import { createTestDatabase } from "../support/postgres.ts";
import { startRedisForTest } from "../support/redis-server.ts";
import { openTriggeredFlow } from "../support/triggered-flow.ts";

const BAD = "5-1";

/** The run that the entry starts: it dies when it takes its first event. */
const badRun = `ordered-${createHash("sha256")
  .update(JSON.stringify(["default", "ordered", `orders/${BAD}`]))
  .digest("hex")
  .slice(0, 32)}`;

test.skipIf(inject("redis") === 0)(
  "an entry that kills the owners of its run is rejected, and the others start their runs",
  { timeout: 300_000 },
  async () => {
    const redis = await startRedisForTest();
    const { url } = await createTestDatabase();
    const pair = await openKilledPair({
      DATABASE_URL: url,
      ORCHESTRATOR_REDIS_URL: redis.url,
      ORCHESTRATOR_FAIL_POINTS: `run.decide[${badRun}]=kill`,
    });
    const flow = await openTriggeredFlow(pair.addresses[0] ?? "");
    await flow.put(`id: ordered
flow_id: told
source: {type: redis, stream: orders}
start: {input: {what: "\${event.body}"}}
`);
    const add = (id: string, n: string): string => redis.cli("XADD", "orders", id, "payload", n);
    for (const n of ["1", "2", "3"]) add(`4-${n}`, n);
    add(BAD, "4");
    for (const n of ["5", "6"]) add(`6-${n}`, n);
    const rejected = (): string => redis.cli("XRANGE", "orders:rejected", "-", "+");
    await pair.supervise(async () => rejected() !== "", MOST_DEATHS);
    expect(rejected()).toContain(BAD);
    await eventually(async () => expect(await flow.outputs()).toHaveLength(5), { timeoutMs: 60_000 });
    expect(redis.cli("XLEN", "orders:rejected")).toBe("1");
    expect(pair.lines.filter((line) => line.includes("quarantine"))).toEqual([]);
  },
);
