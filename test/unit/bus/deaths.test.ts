/** When a message is rejected for the deaths of its readers. */
import { expect, test } from "vitest";
import { isGuilty } from "../../../src/bus/deaths.ts";

test.each([
  { what: "a message that kills alone", deaths: 3, unexplained: 2, guilty: true },
  { what: "one with two deaths", deaths: 2, unexplained: 0, guilty: false },
  { what: "one beside a kill from outside", deaths: 3, unexplained: 3, guilty: false },
  { what: "one that outlasts the kills from outside", deaths: 4, unexplained: 3, guilty: true },
  { what: "one that kills while somebody kills all the time", deaths: 23, unexplained: 1_000, guilty: true },
])("$what: $deaths deaths, $unexplained unexplained", ({ deaths, unexplained, guilty }) => {
  expect(isGuilty({ readers: deaths, others: 0 }, unexplained)).toBe(guilty);
});

test("an owner that a message has killed counts against it, and does not speak for it", () => {
  expect(isGuilty({ readers: 1, others: 2 }, 4)).toBe(true);
  expect(isGuilty({ readers: 1, others: 1 }, 3)).toBe(false);
  expect(isGuilty({ readers: 2, others: 1 }, 5)).toBe(false);
});
