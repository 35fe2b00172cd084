/** When a suspect is put into quarantine. */
import { expect, test } from "vitest";
import { isGuilty } from "../../../../../src/engine/shard/submission/verdict.ts";

function judge(deaths: number, unexplained: number, blocked = false): boolean {
  return isGuilty({ id: "a", shard: 0, moment: "takeover", deaths, unexplained, blocked });
}

test("an entity that nobody else dies of is held after two deaths, with or without the one that made it a suspect", () => {
  for (const unexplained of [0, 1]) expect([1, 2].map((deaths) => judge(deaths, unexplained))).toEqual([false, true]);
});

test("each further death that no entity accounts for asks for one more of its own, up to 20", () => {
  for (let unexplained = 1; unexplained <= 21; unexplained += 1) {
    expect(judge(unexplained, unexplained)).toBe(false);
    expect(judge(unexplained + 1, unexplained)).toBe(true);
  }
  expect(judge(21, 1_000)).toBe(false);
  expect(judge(22, 1_000)).toBe(true);
});

test("one in which an event loop stood still is held at once", () => {
  expect(judge(0, 1_000, true)).toBe(true);
});
