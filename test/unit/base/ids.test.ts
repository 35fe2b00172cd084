import { describe, expect, test } from "vitest";
import {
  childRunId,
  drawUuid,
  isMintedRunId,
  keyedOperationId,
  mintOperationId,
  mintRunId,
  rootOf,
  shardOf,
} from "../../../src/base/ids.ts";

/** Ids of runs as callers may choose them, at most 100 characters. */
const CHOSEN = ["order-17", "a", "Order.17_b", "x".repeat(100)];

describe("ids of child runs", () => {
  test("stand in a URL as they are, keep below one length at any depth, and live with their root", () => {
    // Cause: the id of a child was its parent's, a colon and a path, so it grew with each level beyond what calls take,
    // and held `:`, `#` and `/`.
    for (const root of [mintRunId(5, 64, 1_800_000_000_000), ...CHOSEN]) {
      let id = root;
      for (let depth = 1; depth <= 16; depth += 1) {
        id = childRunId(id, "some-task-with-a-long-name~12.9999", 3);
        expect(id.length).toBeLessThanOrEqual(128);
        expect(id).toMatch(/^[A-Za-z0-9][A-Za-z0-9._~-]*$/);
        expect(encodeURIComponent(id)).toBe(id);
        expect(rootOf(id)).toBe(root);
        for (const shards of [1, 7, 64, 1024]) expect(shardOf(id, shards)).toBe(shardOf(root, shards));
        expect(isMintedRunId(id, 64)).toBe(false);
      }
    }
  });

  test("are the same for the same task and attempt, and others for all others", () => {
    const ids = ["r", childRunId("r", "a", 1)].flatMap((parent) =>
      ["a", "a~1", "a.1", "a~compensate", "b"].flatMap((path) =>
        [1, 2].map((attempt) => [parent, path, attempt] as const),
      ),
    );
    expect(new Set(ids.map((id) => childRunId(...id))).size).toBe(20);
    expect(childRunId("r", "a", 1)).toBe(childRunId("r", "a", 1));
    // It is in databases: it never changes.
    expect(childRunId("r", "a", 1)).toBe("r~wak2trjac4jc09qh");
  });

  test("of older releases are still found where they are", () => {
    for (let index = 0; index < 50; index += 1) {
      const root = `mine-${index}`;
      expect(shardOf(`${root}:a:b`, 8)).toBe(shardOf(root, 8));
      expect(rootOf(`${root}:a#2:b`)).toBe(root);
      expect(rootOf(childRunId(`${root}:a`, "b", 1))).toBe(root);
      // Callers could choose such ids.
      expect(rootOf(`${root}~a`)).toBe(`${root}~a`);
    }
  });
});

test("ids that begin with a colon, which no run has, are spread over the shards by the whole of them", () => {
  const shards = new Set(Array.from({ length: 200 }, (_, index) => shardOf(`:queue/${index}`, 8)));
  expect(shards.size).toBe(8);
});

// Cause: two characters of base32 hold 1,024 shards, and a database may have 4,096. Ids of the others named another
// shard than the one that the run was written on.
test.each([1, 7, 64, 1_024, 1_025, 4_096])("minted ids name each of %i shards, and sort by time", (shards) => {
  const at = 1_800_000_000_000;
  for (const shard of new Set([0, 1, shards >> 1, shards - 1])) {
    if (shard >= shards) continue;
    for (const mint of [(now: number) => mintRunId(shard, shards, now), (now: number) => mintOperationId(shard, now)]) {
      const id = mint(at);
      expect(shardOf(id, shards)).toBe(shard);
      expect(encodeURIComponent(id)).toBe(id);
      expect(mint(at) < mint(at + 1)).toBe(true);
      expect(mint(at)).not.toBe(mint(at));
    }
    expect(isMintedRunId(mintRunId(shard, shards, at), shards)).toBe(true);
    expect(isMintedRunId(mintOperationId(shard, at), 64)).toBe(false);
  }
});

test("an id of a run that a caller chose stays where it is, however it looks", () => {
  const long = "0".repeat(27);
  expect(isMintedRunId(long, 1_024)).toBe(false);
  // These are in databases: they never change.
  expect([shardOf("order-17", 64), shardOf(long, 64)]).toEqual([18, 12]);
  expect(shardOf("01kb3x0000fm00000000000000", 1_024)).toBe(500);
});

test("an operation is found by its request id, and those of older releases where they are", () => {
  expect(keyedOperationId("default", "r1")).toBe(keyedOperationId("default", "r1"));
  expect(keyedOperationId("default", "r1")).not.toBe(keyedOperationId("other", "r1"));
  // In databases: it never changes. Ids of older releases have this form, whatever their first digit.
  expect(keyedOperationId("default", "r1")).toBe("op~eccfvkp4ma1ds5g2r58tqjnwh6");
  const old = "op~0fm2yx5s8t6w8v2j1q0c5k7d9e";
  expect([shardOf(old, 8), shardOf(old, 64), shardOf(old, 4_096)]).toEqual([4, 12, 1_612]);
});

test("UUIDs are drawn until their shard is one of those that are taken", () => {
  for (let tries = 0; tries < 50; tries += 1) {
    const id = drawUuid(64, (shard) => shard === 7 || shard === 40);
    expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect([7, 40]).toContain(shardOf(id, 64));
    expect(isMintedRunId(id, 64)).toBe(false);
  }
});
