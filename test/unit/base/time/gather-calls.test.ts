import { expect, test } from "vitest";
import { gatherCalls } from "../../../../src/base/time/gather-calls.ts";

test("calls of one turn are one question, in parts of the largest size, and each gets its answer or the error", async () => {
  const asked: (readonly number[])[] = [];
  const double = gatherCalls(async (keys: readonly number[]) => {
    asked.push(keys);
    if (keys.includes(7)) throw new Error("seven");
    return keys.map((key) => 2 * key);
  }, 3);
  expect(await Promise.all([1, 2, 3, 4].map(double))).toEqual([2, 4, 6, 8]);
  expect(asked).toEqual([[1, 2, 3], [4]]);
  const results = await Promise.allSettled([5, 6, 7, 8].map(double));
  expect(results.map(({ status }) => status)).toEqual(["rejected", "rejected", "rejected", "fulfilled"]);
  expect(await double(9)).toBe(18);
});
