/** Requests: the ids of their runs, what is found of them after a takeover, and those that kill. */
import { expect, test } from "vitest";
import { toError } from "../../../../src/base/errors.ts";
import { shardOf as shardOfId } from "../../../../src/base/ids.ts";
import { silentLog } from "../../../../src/base/log.ts";
import { OwnerDeaths } from "../../../../src/bus/owner-deaths.ts";
import { idAt, idOfEntry, idsBetween, stemOf, timeOf } from "../../../../src/bus/redis/requests/request-ids.ts";
import { createRequests } from "../../../../src/bus/redis/requests/requests.ts";
import { findStarted, SLACK_MS } from "../../../../src/bus/redis/requests/takeover-lookup.ts";
import type { StartedRuns } from "../../../../src/engine/ports/bus/started-runs.ts";
import type { UsedTemplate } from "../../../../src/flows/ports/templates.ts";

const RUN_ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/;
const NOW = Date.UTC(2030, 0, 1);
const messageOf = (text: string, source = "workflow-requests") => ({
  ...{ source, entryId: null, value: Buffer.from(text), seenAt: NOW, again: false },
});

test.each([1, 2, 64, 1_000])("the run of a message lies on its shard, one of %i, whenever it was seen", (shards) => {
  const shardOf = (id: string): number => shardOfId(id, shards);
  for (let index = 0; index < 200; index++) {
    const stem = stemOf(messageOf(`m${index}`));
    const id = idAt(stem, NOW + index, shardOf);
    expect(id).toMatch(RUN_ID);
    expect(shardOf(id)).toBe(shardOf(stem));
    expect(timeOf(stem, id)).toBe(NOW + index);
    const { from, to } = idsBetween(stem, NOW, NOW + index);
    expect(from <= id && id < to).toBe(true);
    expect(idsBetween(stem, NOW, NOW + index - 1).to <= id).toBe(true);
  }
});

test("what differs in its text, channel, or entry is another run", () => {
  const stems = [messageOf("a"), messageOf("b"), messageOf("a", "other"), messageOf("sa", "workflow-request")];
  expect(new Set(stems.map(stemOf)).size).toBe(4);
  const entry = { ...messageOf("a", "stream:s"), entryId: "1-1" };
  const ids = [entry, { ...entry, entryId: "1-2" }, { ...entry, value: Buffer.from("b") }].map(idOfEntry);
  expect(new Set(ids).size).toBe(3);
  for (const id of ids) expect(id).toMatch(RUN_ID);
  expect(idOfEntry({ ...entry, seenAt: 5, again: true })).toBe(ids[0]);
});

/** Runs of the stem `s` that were seen at these times, and what is asked. */
async function find(started: readonly number[], seen: readonly number[], own: readonly number[] = []) {
  const idOf = (at: number): string => idAt("s-", at, () => 0);
  const runs: StartedRuns = {
    find: async (_, ranges) => ranges.map(({ from, to }) => started.map(idOf).filter((id) => from <= id && id < to)),
  };
  const suspects = seen.map((seenAt) => ({ stem: "s-", seenAt }));
  return findStarted(runs, "default", suspects, new Set(own.map(idOf)));
}

test("each run stands for one message, the earliest that was seen at about its time", async () => {
  expect(await find([], [NOW])).toEqual([false]);
  expect(await find([NOW + 20], [NOW])).toEqual([true]);
  // Identical messages, of which the earlier owner has started one.
  expect(await find([NOW], [NOW + 100, NOW])).toEqual([false, true]);
  expect(await find([NOW, NOW + 100], [NOW + 90, NOW - 10])).toEqual([true, true]);
  // Another message with the same text, long before.
  expect(await find([NOW - SLACK_MS - 1], [NOW])).toEqual([false]);
  expect(await find([NOW - SLACK_MS], [NOW])).toEqual([true]);
  expect(await find([NOW + SLACK_MS], [NOW])).toEqual([true]);
  // What this instance has started itself came from another message.
  expect(await find([NOW - 50], [NOW], [NOW - 50])).toEqual([false]);
});

// Cause: a request was sent again without end, and each owner of its run died of it.
test("a request in a Stream of which five owners of its run died is rejected, and no run tells of it", async () => {
  const stopping = new AbortController().signal;
  const starts: string[] = [];
  let told = 0;
  const { stream } = createRequests({
    ...{ stopping, log: silentLog, tenantId: "default", maxBytes: 10_000, counts: { counted() {} } },
    templates: { useTemplate: async () => ({ flowId: "f", version: "1" }) as UsedTemplate },
    startedRuns: { find: async () => [] },
    shards: { shardOf: () => 0, epochOf: () => undefined },
    startHere: () => Promise.reject(toError("RUN_MOVED", { runId: "r" })),
    async startAnywhere(_, { correlationId, refusal }, ownerDied) {
      starts.push(`${correlationId}${refusal === null ? "" : " refused"}`);
      if (correlationId === "good") return;
      ownerDied?.();
      throw toError("RUN_MOVED", { runId: "r" });
    },
    ownerDeaths: new OwnerDeaths({ stopping, pauseMs: 1 }),
  });
  const entry = (name: string) => ({
    ...messageOf(JSON.stringify({ correlation_id: name, workflow_template: "t" }), "stream:s"),
    ...{ entryId: `1-${name.length}`, ownerDied: () => void (told += 1) },
  });
  const verdicts = await Promise.all(stream([entry("bad"), entry("good")]));
  expect(verdicts).toEqual([{ reason: "KILLS_ITS_READER", message: expect.any(String) }, "done"]);
  expect(starts.filter((start) => start.startsWith("bad"))).toEqual(Array.from({ length: 5 }, () => "bad"));
  expect(told).toBe(5);
});
