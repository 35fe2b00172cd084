/** Requests of pub/sub: the ids of their runs, and what is found of them after a takeover. */
import { expect, test } from "vitest";
import { shardOf as shardOfId } from "../../../../src/base/ids.ts";
import { idAt, idOfEntry, idsBetween, stemOf, timeOf } from "../../../../src/bus/redis/requests/request-ids.ts";
import { findStarted, SLACK_MS } from "../../../../src/bus/redis/requests/takeover-lookup.ts";
import type { StartedRuns } from "../../../../src/engine/ports/bus/started-runs.ts";

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
