import fc from "fast-check";
import { expect, test } from "vitest";
import { DURATION_PATTERN, parseDurationMs } from "../../../../src/base/time/duration.ts";

test.each([
  ["90", 90_000],
  [0.5, 500],
  ["1h30m", 5_400_000],
  [" 2d ", 172_800_000],
  ["250ms", 250],
  ["1d2h3m4s5ms", 93_784_005],
  ["1.5h30m", 7_200_000],
  ["5m5ms", 300_005],
])("%s", (text, ms) => {
  expect(parseDurationMs(text)).toBe(ms);
});

// Cause: amounts were added up in whatever order, so that a slip such as `1h1h` for `1h1m` went unnoticed.
test.each([
  ["1h1h", '"1h1h" names a unit twice; write each unit once, the largest first: "2h"'],
  ["1s500ms500ms", '"1s500ms500ms" names a unit twice; write each unit once, the largest first: "2s"'],
  ["30m1h", '"30m1h" has its units out of order; write each unit once, the largest first: "1h30m"'],
  ["5ms1m", '"5ms1m" has its units out of order; write each unit once, the largest first: "1m5ms"'],
  ["", '"" is not a duration; write seconds (90) or units'],
  ["1h 1m", '"1h 1m" is not a duration'],
  ["1y", '"1y" is not a duration'],
  ["-1s", '"-1s" is not a duration'],
  ["3651d", '"3651d" is not a duration'],
])("%s is refused with the cure", (text, problem) => {
  expect(() => parseDurationMs(text)).toThrow(problem);
});

test("a text is taken exactly when its units stand once each, the largest first", () => {
  const units = ["d", "h", "m", "s", "ms"];
  const parts = fc.array(fc.tuple(fc.nat(99), fc.constantFrom(...units)), { minLength: 1, maxLength: 5 });
  fc.assert(
    fc.property(parts, (list) => {
      const text = list.map(([amount, unit]) => `${amount}${unit}`).join("");
      const places = list.map(([, unit]) => units.indexOf(unit));
      const isOrdered = places.every((place, at) => at === 0 || place > (places[at - 1] ?? 0));
      expect(DURATION_PATTERN.test(text)).toBe(isOrdered);
      if (isOrdered) expect(parseDurationMs(text)).toBeGreaterThanOrEqual(0);
      else expect(() => parseDurationMs(text)).toThrow("write each unit once, the largest first");
    }),
  );
});

// Cause: a length below half a millisecond became 0, which ended an attempt before it began.
test.each([
  ["0.4ms", 1],
  [0.0001, 1],
  ["1.4ms", 1],
  [0, 0],
  ["0s", 0],
])("%s is at least a millisecond unless it is 0", (text, ms) => {
  expect(parseDurationMs(text)).toBe(ms);
});
