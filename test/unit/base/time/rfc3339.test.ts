import { expect, test } from "vitest";
import { parseInstantMs } from "../../../../src/base/time/rfc3339.ts";
import { wait } from "../../../../src/tasks/wait.ts";

// Cause: `until` was checked by a narrower grammar than that of RFC 3339, and the engine read it by a wider one.
test.each([
  ["2030-01-31t08:00:00z", "2030-01-31T08:00:00.000Z"],
  ["2030-01-31T08:00:00+01:00", "2030-01-31T07:00:00.000Z"],
  ["2016-12-31T23:59:60Z", "2017-01-01T00:00:00.000Z"],
  ["2030-01-31T08:00:00.0001Z", "2030-01-31T08:00:00.001Z"],
])("%s is a time", (text, instant) => {
  expect(new Date(parseInstantMs(text) ?? Number.NaN).toISOString()).toBe(instant);
  expect(wait.parameters.safeParse({ until: text }).success).toBe(true);
});

test.each(["2026-11-29", "2026-11-29T10:00:00", "2026-02-30T10:00:00Z", "2026-11-29T10:00:61Z", "tomorrow"])(
  "%s is refused with the form",
  (text) => {
    expect(parseInstantMs(text)).toBeUndefined();
    expect(wait.parameters.safeParse({ until: text }).error?.issues[0]?.message).toBe(
      `expected a time with a zone as in RFC 3339, such as 2030-01-31T08:00:00Z or 2030-01-31T08:00:00+01:00; got the string "${text}"`,
    );
  },
);
