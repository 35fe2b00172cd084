import { expect, test } from "vitest";
import { parseJson } from "../../../src/base/json/json-parse.ts";
import { parseFlowSource } from "../../../src/flows/document/parse.ts";
import { compileExpression } from "../../../src/flows/interpolation/expression.ts";

/** What is taken of an integer: the value, or null when it is refused. */
function taken(read: () => unknown): unknown {
  try {
    return read();
  } catch {
    return null;
  }
}

// Cause: 2^53 was taken as input and in flows, and refused as the result of an expression.
test.each([
  "9007199254740991",
  "9007199254740992",
  "9007199254740993",
  "9007199254740994",
  "-9007199254740992",
  "-9007199254740993",
  "69570938916674410",
  "69570938916674411",
  "9223372036854775807",
  "1152921504606846976",
])("%s is taken by inputs, flows, and expressions alike", (text) => {
  const compiled = compileExpression(text, { variables: new Set(), tasks: new Set() });
  if ("problems" in compiled) throw new Error(compiled.problems.join());
  const input = taken(() => parseJson(text, { field: "input" }));
  expect(taken(() => parseFlowSource(`a: ${text}\n`).value)).toEqual(input === null ? null : { a: input });
  expect(taken(() => compiled.evaluate({ vars: {}, run: {}, task: () => undefined }))).toBe(input);
});
