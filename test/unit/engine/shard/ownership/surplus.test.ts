/** Which shards an instance gives to one that joins. */
import { expect, test } from "vitest";
import { chooseSurplus, KEEP_BUSY_MS } from "../../../../../src/engine/shard/ownership/surplus.ts";

const OWNED = [0, 1, 2, 3, 4, 5, 6, 7];

test("shards without work are given at once, the highest numbers first", () => {
  const busy = new Map([
    [6, 1],
    [7, 3],
  ]);
  expect(chooseSurplus(OWNED, busy, 4, 0)).toEqual({ now: [5, 4, 3, 2], later: [] });
});

test("when most are busy, those with the least work are given later", () => {
  const busy = new Map(OWNED.slice(1).map((shard) => [shard, 10 - shard]));
  expect(chooseSurplus(OWNED, busy, 4, KEEP_BUSY_MS - 1)).toEqual({ now: [0], later: [7, 6, 5] });
});

test("no shard is kept for longer than the bound", () => {
  const busy = new Map(OWNED.map((shard) => [shard, 1]));
  expect(chooseSurplus(OWNED, busy, 3, KEEP_BUSY_MS)).toEqual({ now: [7, 6, 5], later: [] });
});
