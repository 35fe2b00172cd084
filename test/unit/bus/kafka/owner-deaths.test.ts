/** Messages with which other instances die, the owners of their runs, while their reader lives. */
import { expect, onTestFinished, test } from "vitest";
import { toError } from "../../../../src/base/errors.ts";
import { silentLog } from "../../../../src/base/log.ts";
import { createInbound } from "../../../../src/bus/kafka/inbound.ts";
import { Trials } from "../../../../src/bus/kafka/trials.ts";
import { OwnerDeaths } from "../../../../src/bus/owner-deaths.ts";
import type { InboundMessage } from "../../../../src/engine/ports/bus/inbound.ts";

const messageOf = (runId: string): InboundMessage => ({
  ...{ clusterId: "c", topicId: "t", topic: "flow_runs", partition: 0, offset: 1n, leaderEpoch: 0 },
  ...{ key: null, headers: [], sentAt: 0, value: Buffer.from(JSON.stringify({ run_id: runId, flow_id: "f" })) },
});

/** An owner that dies of the first starts of a run, so many times. */
function createWorld(deaths: Readonly<Record<string, number>>) {
  const left = new Map(Object.entries(deaths));
  const rejected: string[] = [];
  const under = new Set<string>();
  let most = 0;
  const stop = new AbortController();
  onTestFinished(() => stop.abort());
  const parts = {
    rejected: { keep: async (_: InboundMessage, reason: string) => void rejected.push(reason) },
    stopping: stop.signal,
    log: silentLog,
  };
  const trials = new Trials({
    ...parts,
    suspects: { name: async () => {}, otherDied: async () => {}, forget: async () => {} },
  });
  const ownerDeaths = new OwnerDeaths({ stopping: stop.signal, pauseMs: 1 });
  const started: string[] = [];
  const inbound = createInbound({
    ...{ ...parts, trials, ownerDeaths, findOutside: null, maxBytes: 1_000, tenantOf: () => "default", ignored() {} },
    inlineFlows: { register: () => expect.unreachable() },
    commands: {
      answer: () => expect.unreachable(),
      start: async (_, { runId, refusal }, ownerDied) => {
        started.push(refusal === null ? runId : `${runId} ${refusal.type}`);
        const more = left.get(runId) ?? 0;
        if (more <= 0) return;
        left.set(runId, more - 1);
        if (more <= 2) under.add(runId);
        most = Math.max(most, under.size);
        await new Promise((resolve) => setImmediate(resolve));
        under.delete(runId);
        ownerDied?.();
        throw toError("RUN_MOVED", { runId });
      },
    },
  });
  const start = (runId: string) => inbound.flowRuns([messageOf(runId)])[0];
  return { start, started, rejected, most: () => most };
}

test("five deaths of owners reject a message, and its run does not begin", { timeout: 20_000 }, async () => {
  const { start, started, rejected } = createWorld({ bad: 100 });
  await start("bad");
  expect(rejected).toEqual(["KILLS_ITS_READER"]);
  expect(started).toEqual(["bad", "bad", "bad", "bad", "bad"]);
});

test("four deaths do not, and such messages go one after the other", { timeout: 20_000 }, async () => {
  const { start, started, rejected, most } = createWorld({ a: 4, b: 4 });
  await Promise.all([start("a"), start("b")]);
  expect(rejected).toEqual([]);
  expect(started).toHaveLength(10);
  // From their third attempts on.
  expect(most()).toBe(1);
});
