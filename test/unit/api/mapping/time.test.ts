import { create } from "@bufbuild/protobuf";
import { DurationSchema } from "@bufbuild/protobuf/wkt";
import { expect, test } from "vitest";
import { fromDuration } from "../../../../src/api/mapping/time.ts";

// A run_timeout of the contract is more than 0; it must not become 0 here, which would end the run at once.
test.each([
  [1, 1],
  [400_000, 1],
  [1_000_000, 1],
  [1_000_001, 2],
])("%i nanoseconds are %i milliseconds", (nanos, ms) => {
  expect(fromDuration(create(DurationSchema, { nanos }))).toBe(ms);
});
