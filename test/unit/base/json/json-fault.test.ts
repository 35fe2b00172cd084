import fc from "fast-check";
import { expect, test } from "vitest";
import { findFault } from "../../../../src/base/json/json-fault.ts";

// Cause: the engine names no position for short texts, and what it did not name was called the end of the text.
test.each([
  ["[NaN]", 1],
  ["tru}", 3],
  ["undefined", 0],
  ["\ufeff\ufeff{}", 0],
  ["{} x", 3],
  ["{a:1}", 1],
  ["{'a':1}", 1],
  ['{"a":1,}', 7],
  ["[1,]", 3],
  ["[1 2]", 3],
  ['{"a" 1}', 5],
  ["[01]", 2],
  ["[1.]", 3],
  ["[.5]", 1],
  ["[+1]", 1],
  ["[-]", 2],
  ["[1e]", 3],
  ['["\\x"]', 3],
  ['["\\u12g4"]', 6],
  ['["\n"]', 2],
  ["]", 0],
  ["[}", 1],
  ["Infinity", 0],
  ["[1,2", 4],
  ["", 0],
  ["-", 1],
  ["nul", 3],
  ['"\\u00', 5],
  ['{"a":', 5],
])("%j has its fault at %i", (text, position) => {
  expect(findFault(text)).toBe(position);
});

test("agrees with the parser on every text", () => {
  const mutated = fc
    .tuple(
      fc.json(),
      fc.nat(),
      fc.nat(3),
      fc.constantFrom("", "a", '"', "\\", "{", "}", "[", "]", ",", ":", "1", ".", "-", "e", "\n"),
    )
    .map(([text, at, cut, put]) => {
      const from = at % (text.length + 1);
      return text.slice(0, from) + put + text.slice(from + cut);
    });
  const property = fc.property(mutated, (text) => {
    const fault = findFault(text);
    let cause = "";
    try {
      JSON.parse(text);
    } catch (error) {
      cause = String(error);
    }
    if (cause === "") expect(fault).toBe(text.length);
    const [, named] = /at position (\d+)/.exec(cause) ?? [];
    // The engine blames the sign where a number or word began to be none; this one may blame the character behind.
    if (named !== undefined) expect(Math.abs(fault - Number(named))).toBeLessThanOrEqual(1);
    if (cause.includes("Unexpected end")) expect(fault).toBe(text.length);
  });
  fc.assert(property, { numRuns: 2_000 });
});
