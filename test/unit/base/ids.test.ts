import { expect, test } from "vitest";
import { shardOfRun } from "../../../src/base/ids.ts";

test("a child run lives on the shard of its parent", () => {
  for (let index = 0; index < 50; index += 1)
    expect(shardOfRun(`mine-${index}:a:b`, 8)).toBe(shardOfRun(`mine-${index}`, 8));
});

test("ids that begin with a colon, which no run has, are spread over the shards by the whole of them", () => {
  const shards = new Set(Array.from({ length: 200 }, (_, index) => shardOfRun(`:queue/${index}`, 8)));
  expect(shards.size).toBe(8);
});
