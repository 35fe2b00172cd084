import fc from "fast-check";
import { expect, it } from "vitest";
import type { Json } from "../../../../src/base/json/json.ts";
import { exceedsSize } from "../../../../src/base/json/json-size.ts";
import { relativeTime } from "../../../support/relative-time.ts";

it("is near the length of the text", () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const { length } = JSON.stringify(value);
      expect(exceedsSize(value as Json, 8 * length + 16)).toBe(false);
      if (length > 64) expect(exceedsSize(value as Json, length >> 3)).toBe(true);
    }),
  );
  const list = Array.from({ length: 1_000 }, (_, index) => `entry ${index}`);
  const { length } = JSON.stringify(list);
  expect(exceedsSize(list, length + 10)).toBe(false);
  expect(exceedsSize(list, length - 1_000)).toBe(true);
});

it("stops at the limit, however large the value is as text", () => {
  let doubling: Json = ["x"];
  for (let round = 0; round < 200; round += 1) doubling = [doubling, doubling];
  const flat = Array.from({ length: 2_000 }, () => "x".repeat(100));
  expect(exceedsSize(doubling, 100_000)).toBe(true);
  const ratio = relativeTime(
    () => void exceedsSize(doubling, 10_000),
    () => void JSON.stringify(flat),
  );
  expect(ratio).toBeLessThan(100);
});

it("takes a value that holds itself, or nests without end, for too large", () => {
  const itself: Json[] = [];
  itself.push(itself);
  let deep: Json = [];
  for (let level = 0; level < 100_000; level += 1) deep = [deep];
  expect([exceedsSize(itself, 1e12), exceedsSize(deep, 1e12)]).toEqual([true, true]);
});
