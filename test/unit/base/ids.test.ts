import { describe, expect, test } from "vitest";
import { childRunId, isMintedRunId, mintRunId, rootOf, shardOfRun } from "../../../src/base/ids.ts";

/** Ids of runs as callers may choose them, at most 100 characters. */
const CHOSEN = ["order-17", "a", "Order.17_b", "x".repeat(100)];

describe("ids of child runs", () => {
  test("stand in a URL as they are, keep below one length at any depth, and live with their root", () => {
    // Cause: the id of a child was its parent's, a colon and a path, so it grew with each level beyond what calls take,
    // and held `:`, `#` and `/`.
    for (const root of [mintRunId(5, 1_800_000_000_000), ...CHOSEN]) {
      let id = root;
      for (let depth = 1; depth <= 16; depth += 1) {
        id = childRunId(id, "some-task-with-a-long-name~12.9999", 3);
        expect(id.length).toBeLessThanOrEqual(128);
        expect(id).toMatch(/^[A-Za-z0-9][A-Za-z0-9._~-]*$/);
        expect(encodeURIComponent(id)).toBe(id);
        expect(rootOf(id)).toBe(root);
        for (const shards of [1, 7, 64, 1024]) expect(shardOfRun(id, shards)).toBe(shardOfRun(root, shards));
        expect(isMintedRunId(id)).toBe(false);
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
      expect(shardOfRun(`${root}:a:b`, 8)).toBe(shardOfRun(root, 8));
      expect(rootOf(`${root}:a#2:b`)).toBe(root);
      expect(rootOf(childRunId(`${root}:a`, "b", 1))).toBe(root);
      // Callers could choose such ids.
      expect(rootOf(`${root}~a`)).toBe(`${root}~a`);
    }
  });
});

test("ids that begin with a colon, which no run has, are spread over the shards by the whole of them", () => {
  const shards = new Set(Array.from({ length: 200 }, (_, index) => shardOfRun(`:queue/${index}`, 8)));
  expect(shards.size).toBe(8);
});
