import { expect, test } from "vitest";
import { parseFilter } from "../../../src/api/lists/filter.ts";

const FIELDS = { state: { kind: "state", values: ["FAILED"] }, flow_id: { kind: "text" } } as const;

// Cause: people write filters as SQL has them, and the answer named the character but not what to write.
test.each([
  ['state = "FAILED"', "compare with =="],
  ["state = 'FAILED'", "compare with =="],
  ["state == FAILED", 'write text in quotes: "FAILED"'],
  ['state == "FAILED" AND flow_id == "x"', "and is written &&"],
  ['state == "FAILED" & flow_id == "x"', "and is written &&"],
  ['state == "FAILED" or flow_id == "x"', "or is written ||"],
  ['NOT state == "FAILED"', "not is written !"],
  ['state <> "FAILED"', "not equal is written !="],
])("%s is answered with the cure", (filter, cure) => {
  expect(() => parseFilter(filter, FIELDS)).toThrow(cure);
});
