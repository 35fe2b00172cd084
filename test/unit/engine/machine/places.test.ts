import { expect, test } from "vitest";
import type { Place } from "../../../../src/engine/machine/records.ts";
import { isRepeated, placed, withPlace } from "../../../../src/engine/machine/tasks/places.ts";

const at = (log: string, offset: number, epoch = 0): Place => ({ log, epoch, offset });
const isRepeatedAfter = (places: readonly Place[], place: Place): boolean => isRepeated({ places } as never, place);

test("an answer is repeated when one of its log was applied at its place or after it", () => {
  const places = [at("a/0", 5), at("a/1", 9)];
  expect(isRepeatedAfter(places, at("a/0", 5))).toBe(true);
  expect(isRepeatedAfter(places, at("a/0", 4))).toBe(true);
  expect(isRepeatedAfter(places, at("a/0", 6))).toBe(false);
  expect(isRepeatedAfter([], at("a/0", 0))).toBe(false);
});

test("other partitions, and a topic that was created anew, have places of their own", () => {
  expect(isRepeatedAfter([at("a/0", 5)], at("a/1", 1))).toBe(false);
  expect(isRepeatedAfter([at("a/0", 5)], at("b/0", 1))).toBe(false);
});

test("a new leader whose log lost its end writes at places above those of the one before", () => {
  expect(isRepeatedAfter([at("a/0", 5, 1)], at("a/0", 3, 2))).toBe(false);
  expect(isRepeatedAfter([at("a/0", 5, 2)], at("a/0", 7, 1))).toBe(true);
});

test("the last place of each log is kept", () => {
  expect(withPlace([at("a/0", 1), at("a/1", 1)], at("a/0", 2))).toEqual([at("a/1", 1), at("a/0", 2)]);
  expect(withPlace([at("a/0", 1)], undefined)).toEqual([at("a/0", 1)]);
});

test("records after which the task may be tried again have the place of their answer", () => {
  const error = { type: "NO", message: "", retryable: true };
  const place = at("a/0", 1);
  const retrying = { type: "task.retrying", at: 1, task: "t", error, dueAt: 1 } as const;
  const completed = { type: "task.completed", at: 1, task: "t", output: null } as const;
  expect(placed([retrying, completed], place)).toEqual([{ ...retrying, place }, completed]);
  expect(placed([retrying], undefined)).toEqual([retrying]);
});
