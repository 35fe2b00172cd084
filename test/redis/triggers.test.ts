/** Streams that start flows, on a real Redis. */
import { expect, inject, onTestFinished, test } from "vitest";
import { toError } from "../../src/base/errors.ts";
import { silentLog } from "../../src/base/log.ts";
import { readTriggerStreams } from "../../src/bus/redis/trigger-streams.ts";
import type { AppliedEvent, KnownTrigger } from "../../src/engine/ports/bus/triggers.ts";
import { compileTrigger } from "../../src/flows/triggers/compile-trigger.ts";
import { eventually } from "../support/eventually.ts";
import { createTestDatabase } from "../support/postgres.ts";
import { runRedisCommand, startRedisForTest } from "../support/redis-server.ts";
import { keyedTriggers, openTriggeredFlow } from "../support/triggered-flow.ts";
import { startInstance } from "../support/workflow-requests.ts";

const skips = inject("redis") === 0;

/** Entries are claimed once nobody has touched them for 30 s. */
const CLAIMED = { timeoutMs: 60_000 };

test.skipIf(skips)("entries of a stream start runs at two instances, each once, also after a flush", async () => {
  const redis = await startRedisForTest();
  const { url } = await createTestDatabase();
  const [first, second] = await Promise.all([startInstance(url, redis), startInstance(url, redis)]);
  const flow = await openTriggeredFlow(first.address);
  const add = (...fields: string[]): string => runRedisCommand(redis.port, "XADD", "orders", "*", ...fields);
  await flow.put(`id: ordered
flow_id: told
source: {type: redis, stream: orders}
when: \${event.headers.kind == "new"}
start: {input: {what: "\${event.body}"}}
`);
  add("kind", "new", "payload", '{"n": 1}');
  add("kind", "old", "payload", '{"n": 2}');
  add("kind", "new", "payload", "no JSON");
  await eventually(async () => expect(await flow.outputs()).toEqual([{ done: "no JSON" }, { done: { n: 1 } }]), {
    timeoutMs: 30_000,
  });
  await eventually(async () => expect(await flow.counts("ordered")).toEqual({ ACCEPTED: 2, FILTERED: 1 }));
  runRedisCommand(redis.port, "FLUSHALL");
  add("kind", "new", "payload", '{"n": 3}');
  await eventually(async () => expect(await flow.outputs()).toHaveLength(3), { timeoutMs: 30_000 });
  await first.stop("SIGKILL");
  const again = await openTriggeredFlow(second.address);
  add("kind", "new", "payload", '{"n": 4}');
  await eventually(async () => expect(await again.outputs()).toHaveLength(4), { timeoutMs: 60_000 });
  await again.remove("ordered");
  await expect(again.counts("ordered")).rejects.toMatchObject({ code: "TRIGGER_NOT_FOUND" });
});

// Cause: a reader of triggers in the group of the service took messages that were meant for the service.
test.skipIf(skips)(
  "streams that the service or agents use themselves are refused, under their prefixed names",
  async () => {
    const redis = await startRedisForTest();
    const { url } = await createTestDatabase();
    const one = await startInstance(url, redis, {
      ORCHESTRATOR_REDIS_CHANNEL_PREFIX: "orch:",
      ORCHESTRATOR_WORKFLOW_REQUESTS: "asked,stream:queued",
    });
    const flow = await openTriggeredFlow(one.address);
    const put = (stream: string) =>
      flow.put(`id: own\nflow_id: told\nsource: {type: redis, stream: "${stream}", group: g}\nstart: {}\n`);
    const own = ["asked", "queued", "workflow-responses", "data-requests", "ai-requests", "exec-requests"];
    for (const name of [...own, "data-responses", "ai-responses", "exec-responses", "data-control"])
      await expect(put(`orch:${name}`), name).rejects.toMatchObject({
        code: "TRIGGER_INVALID",
        message: expect.stringContaining("source.stream: the service uses this Stream itself"),
      });
    await put("queued");
  },
);

test.skipIf(skips)("entries of a stream signal the open run with their key, at whichever instance it is", async () => {
  const redis = await startRedisForTest();
  const { url } = await createTestDatabase();
  const [first, second] = await Promise.all([startInstance(url, redis), startInstance(url, redis)]);
  const [flow, other] = await Promise.all([openTriggeredFlow(first.address), openTriggeredFlow(second.address)]);
  for (const source of keyedTriggers("{type: redis, stream: payments}")) await flow.put(source);
  const add = (body: object): string =>
    runRedisCommand(redis.port, "XADD", "payments", "*", "body", JSON.stringify(body));
  const ids = Array.from({ length: 8 }, (_, index) => index);
  for (const id of [...ids, ...ids]) add({ kind: "order", id });
  await eventually(async () => expect(await flow.counts("ordered")).toMatchObject({ ACCEPTED: 16 }), {
    timeoutMs: 30_000,
  });
  expect(await flow.outputs()).toHaveLength(8);
  for (const id of [99, ...ids]) add({ kind: "paid", id, n: 100 + id });
  const paid = ids.map((id) => ({ done: 100 + id }));
  await eventually(async () => expect(await other.outputs()).toEqual(paid), { timeoutMs: 30_000 });
  await eventually(async () => expect(await flow.counts("paid")).toEqual({ ACCEPTED: 8, UNMATCHED: 1, FILTERED: 16 }));
});

test.skipIf(skips)(
  "entries that a dead instance had taken are claimed by another, and start their runs once",
  {
    timeout: 240_000,
  },
  async () => {
    const redis = await startRedisForTest();
    const { url } = await createTestDatabase();
    // It dies with the runs committed and nothing acknowledged, or with nothing done.
    for (const [at, point] of ["commit.after", "commit.before"].entries()) {
      const stream = `orders-${at}`;
      const doomed = await startInstance(url, redis, {
        ORCHESTRATOR_TESTING: "true",
        ORCHESTRATOR_FAIL_POINTS: `${point}=kill`,
      });
      const flow = await openTriggeredFlow(doomed.address);
      await flow.put(`id: ${stream}
flow_id: told
source: {type: redis, stream: ${stream}}
start: {input: {what: "\${event.body.n}"}}
`);
      const before = (await flow.outputs()).length;
      for (let n = 0; n < 5; n += 1)
        runRedisCommand(redis.port, "XADD", stream, "*", "body", JSON.stringify({ n: 5 * at + n }));
      await eventually(() => expect(doomed.child.signalCode).toBe("SIGKILL"), { timeoutMs: 30_000 });
      expect(runRedisCommand(redis.port, "XPENDING", stream, "orchestrator")).not.toMatch(/^0\n/);
      const heir = await startInstance(url, redis);
      const again = await openTriggeredFlow(heir.address);
      const done = Array.from({ length: before + 5 }, (_, n) => ({ done: n }));
      await eventually(async () => expect(await again.outputs()).toEqual(done), CLAIMED);
      await eventually(async () => {
        const { ACCEPTED = 0, DUPLICATE = 0, ...others } = await again.counts(stream);
        expect([ACCEPTED + DUPLICATE, point === "commit.after" ? DUPLICATE > 0 : DUPLICATE === 0, others]).toEqual([
          5,
          true,
          {},
        ]);
        expect(runRedisCommand(redis.port, "XPENDING", stream, "orchestrator")).toMatch(/^0\n/);
      }, CLAIMED);
      await heir.stop("SIGKILL");
    }
  },
);

/** What an entry of the Stream of rejected ones has, by the names of its fields. */
function rejectedOf(port: number, stream: string): readonly Record<string, string>[] {
  const lines = runRedisCommand(port, "XRANGE", `${stream}:rejected`, "-", "+").split("\n");
  const entries: Record<string, string>[] = [];
  for (let at = 0; at < lines.length; )
    if (/^\d+-\d+$/.test(lines[at] ?? "") && lines[at + 1] === "entry") {
      entries.push({});
      at += 1;
    } else {
      const entry = entries.at(-1);
      if (entry !== undefined) entry[lines[at] ?? ""] = lines[at + 1] ?? "";
      at += 2;
    }
  return entries;
}

// Cause: such an entry was acknowledged, and nothing was left of it but a count.
test.skipIf(skips)(
  "an entry that a trigger can never take is kept with the reason, and the next one passes",
  async () => {
    const redis = await startRedisForTest();
    const { url } = await createTestDatabase();
    const { address } = await startInstance(url, redis);
    const flow = await openTriggeredFlow(address);
    await flow.put(`id: ordered
flow_id: told
source: {type: redis, stream: orders}
start: {input: {what: "\${event.body.n}"}}
`);
    const add = (body: string): string =>
      runRedisCommand(redis.port, "XADD", "orders", "*", "kind", "new", "body", body);
    const bad = add('{"m": 1}');
    add('{"n": 2}');
    await eventually(async () => expect(await flow.outputs()).toEqual([{ done: 2 }]), { timeoutMs: 30_000 });
    await eventually(() =>
      expect(rejectedOf(redis.port, "orders")).toEqual([
        {
          ...{ entry: bad, reason: "TRIGGER_FAILED", problem: expect.stringContaining("ordered: EXPRESSION_FAILED") },
          ...{ kind: "new", body: '{"m": 1}' },
        },
      ]),
    );
    await eventually(() => expect(runRedisCommand(redis.port, "XPENDING", "orders", "orchestrator")).toMatch(/^0\n/));
    await eventually(async () => expect(await flow.counts("ordered")).toEqual({ ACCEPTED: 1, FAILED: 1 }));
  },
);

test.skipIf(skips)("an entry is acknowledged only once it is applied, or kept", { timeout: 60_000 }, async () => {
  const redis = await startRedisForTest();
  const { url } = redis;
  const source = "id: t\nflow_id: f\nsource: {type: redis, stream: s}\nstart: {}\n";
  const trigger: KnownTrigger = {
    ...{ tenantId: "default", triggerId: "t", flowId: "f", revision: 1, pause: null, createdAt: 0, updatedAt: 0 },
    compiled: compileTrigger(source),
  };
  const full = Promise.withResolvers<void>();
  const tries: string[] = [];
  const problems: string[] = [];
  const warnings: string[] = [];
  const log = { ...silentLog, warn: (message: string) => void warnings.push(message) };
  const accepted: AppliedEvent = { outcome: "accepted", runId: "r", problem: "" };
  const events = {
    list: () => [trigger],
    find: () => trigger,
    count: (_: KnownTrigger, _outcome: string, _id: string, problem: string) => void problems.push(problem),
    async apply(_: KnownTrigger, { body }: { readonly body: unknown }) {
      tries.push(String(body));
      if (body === "bug") {
        await full.promise;
        throw toError("INTERNAL", { errorId: "e-1" });
      }
      // Neither says anything of the entry: it is tried again.
      if (body === "foreign" && tries.filter((one) => one === "foreign").length < 3) throw new TypeError("odd");
      if (body === "away" && tries.filter((one) => one === "away").length < 3)
        throw toError("STORE_UNAVAILABLE", { problem: "it is away" });
      return accepted;
    },
  };
  const streams = readTriggerStreams({
    ...{ address: { url }, consumer: "a", group: "g", now: Date.now, counts: { counted() {} }, events, log },
  });
  onTestFinished(() => streams.stop());
  streams.follow();
  const add = (body: string): string => redis.cli("XADD", "s", "*", "body", body);
  const isPending = (count: number) =>
    eventually(() => expect(redis.cli("XPENDING", "s", "g").split("\n")[0]).toBe(String(count)), { timeoutMs: 20_000 });
  add("away");
  add("foreign");
  await eventually(() => expect(tries.filter((one) => one !== "bug")).toHaveLength(6));
  await isPending(0);
  expect(rejectedOf(redis.port, "s")).toEqual([]);
  // What cannot be kept is not acknowledged.
  const id = add("bug");
  redis.cli("CONFIG", "SET", "maxmemory", "1");
  full.resolve();
  await eventually(() => expect(warnings).toContain("a rejected entry cannot be kept yet"));
  await isPending(1);
  expect(rejectedOf(redis.port, "s")).toEqual([]);
  redis.cli("CONFIG", "SET", "maxmemory", "0");
  await isPending(0);
  const problem = "internal error; its id in the log is e-1";
  expect(rejectedOf(redis.port, "s")).toEqual([{ entry: id, reason: "INTERNAL", problem, body: "bug" }]);
  expect(problems).toEqual([`INTERNAL: ${problem}`]);
});

// Cause: an entry was sent again without end, and each owner of its run died of it.
test.skipIf(skips)("an entry of which five owners of its run died is rejected", { timeout: 60_000 }, async () => {
  const redis = await startRedisForTest();
  const trigger: KnownTrigger = {
    ...{ tenantId: "default", triggerId: "t", flowId: "f", revision: 1, pause: null, createdAt: 0, updatedAt: 0 },
    compiled: compileTrigger("id: t\nflow_id: f\nsource: {type: redis, stream: s}\nstart: {}\n"),
  };
  const tries: string[] = [];
  const accepted: AppliedEvent = { outcome: "accepted", runId: "r", problem: "" };
  const streams = readTriggerStreams({
    ...{ address: { url: redis.url }, consumer: "a", group: "g", now: Date.now, counts: { counted() {} } },
    ...{ log: silentLog, pauseMs: 1 },
    events: {
      list: () => [trigger],
      find: () => trigger,
      count() {},
      async apply(_, { body }, ownerDied) {
        tries.push(String(body));
        if (body === "good") return accepted;
        ownerDied?.();
        throw toError("RUN_MOVED", { runId: "r" });
      },
    },
  });
  onTestFinished(() => streams.stop());
  streams.follow();
  const bad = redis.cli("XADD", "s", "*", "body", "bad");
  redis.cli("XADD", "s", "*", "body", "good");
  const kept = { entry: bad, reason: "KILLS_ITS_READER", problem: "the owners of its run died of it", body: "bad" };
  await eventually(() => expect(rejectedOf(redis.port, "s")).toEqual([kept]), { timeoutMs: 20_000 });
  expect(tries.filter((body) => body === "bad")).toHaveLength(5);
  expect(tries).toContain("good");
});
