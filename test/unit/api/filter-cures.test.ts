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

const RUN_FIELDS = {
  error_type: { kind: "text" },
  error_code: { kind: "text" },
  state: { kind: "state", values: ["FAILED"], prefix: "RUN_STATE_" },
} as const;

// Cause: a name that is no field was said to have no parts.
test.each([
  ['error.type == "X"', "error is not a field; did you mean error_type or error_code?"],
  ['cause.type == "X"', "cause is not a field; fields are error_type"],
  ['state.x == "X"', "state has no parts; compare state itself"],
])("%s is answered with the fields that there are", (filter, cure) => {
  expect(() => parseFilter(filter, RUN_FIELDS)).toThrow(cure);
});

// Cause: REST answers RUN_STATE_FAILED, and a filter with that text was refused.
test("states are taken as answers show them and without their prefix", () => {
  const short = parseFilter('state == "FAILED"', RUN_FIELDS);
  expect(parseFilter('state == "RUN_STATE_FAILED"', RUN_FIELDS)).toEqual(short);
  expect(parseFilter('state in ["RUN_STATE_FAILED"]', RUN_FIELDS)).toMatchObject({ values: ["FAILED"] });
  expect(() => parseFilter('state == "TASK_STATE_FAILED"', RUN_FIELDS)).toThrow('state is one of "FAILED"');
});
