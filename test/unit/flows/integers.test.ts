import fc from "fast-check";
import { expect, test } from "vitest";
import { parseFilter } from "../../../src/api/lists/filter.ts";
import { parseJson } from "../../../src/base/json/json-parse.ts";
import { readInput } from "../../../src/cli/input/input-values.ts";
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

/** What JSON prints of an integer that came in by each way; null where it is refused. */
async function printedOf(text: string): Promise<Record<string, unknown>> {
  const print = (read: () => unknown): unknown => {
    const value = taken(read);
    return value === null ? null : JSON.stringify(value);
  };
  const compiled = compileExpression(text, { variables: new Set(), tasks: new Set() });
  const attempt = taken(() => parseFilter(`attempt == ${text}`, { attempt: { kind: "number" } })) as {
    value: number;
  } | null;
  const declared = [{ name: "x", type: "integer" }];
  const option = await readInput([`x=${text}`], declared, "f").catch(() => null);
  return {
    json: print(() => parseJson(text, { field: "input" })),
    yaml: print(() => (parseFlowSource(`a: ${text}\n`).value as { a: unknown }).a),
    hexadecimal: text.startsWith("-")
      ? print(() => parseJson(text, { field: "input" }))
      : print(() => (parseFlowSource(`a: 0x${BigInt(text).toString(16)}\n`).value as { a: unknown }).a),
    expression:
      "problems" in compiled ? null : print(() => compiled.evaluate({ vars: {}, run: {}, task: () => undefined })),
    filter: attempt === null ? null : JSON.stringify(attempt.value),
    option: option === null ? null : JSON.stringify(option.x),
  };
}

// Cause: an integer passed when the double was exactly it, though JSON prints that double as another integer.
test("an integer prints as the digits that came in, or is refused, by every way", async () => {
  const near = fc
    .tuple(fc.integer({ min: 50, max: 62 }), fc.integer({ min: -3, max: 3 }), fc.boolean())
    .map(([power, more, isNegative]) => (2n ** BigInt(power) + BigInt(more)) * (isNegative ? -1n : 1n));
  const any = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
  const bounds = fc.constantFrom(0n, 2n ** 60n, 2n ** 53n, -(2n ** 63n), 69_570_938_916_674_410n);
  await fc.assert(
    fc.asyncProperty(fc.oneof(near, any, bounds), async (integer) => {
      const text = String(integer);
      const expected = JSON.stringify(Number(text)) === text ? text : null;
      const ways = await printedOf(text);
      expect(ways).toEqual(Object.fromEntries(Object.keys(ways).map((way) => [way, expected])));
      // Answers of tools keep every digit.
      expect(parseJson(text, { field: "answer", largeIntegers: "text" })).toBe(expected === null ? text : Number(text));
    }),
    { numRuns: 300, examples: [[2n ** 60n], [-(2n ** 63n)], [2n ** 53n + 1n]] },
  );
});
