/** Arithmetic without CEL against CEL itself, on random expressions: the same value for the same steps, or nothing at all. */
import { type CelValue, isCelError, parse, plan } from "@bufbuild/cel";
import fc from "fast-check";
import { expect, it } from "vitest";
import type { Json } from "../../../src/base/json.ts";
import { environment } from "../../../src/flows/cel-environment.ts";
import { charge, chargeWeight, spentSteps, withMeter } from "../../../src/flows/cel-meter.ts";
import { fromCelValue, toCelValue } from "../../../src/flows/cel-values.ts";
import { compileQuick } from "../../../src/flows/quick-expression.ts";

const NAMES = ["a", "b"];

function tryQuick(source: string, values: readonly Json[]) {
  const quick = compileQuick(parse(source).expr, (name) => NAMES.indexOf(name));
  return quick && { value: quick.evaluate((index) => values[index] as Json), steps: quick.steps };
}

function askCel(source: string, [a, b]: readonly Json[]) {
  const before = spentSteps();
  const run = plan(environment, parse(source).expr) as (bindings: Record<string, CelValue>) => CelValue;
  const value = withMeter(() => {
    const result: unknown = run({ a: toCelValue(a as Json), b: toCelValue(b as Json) });
    if (isCelError(result)) return "an error";
    return fromCelValue(result as CelValue, { charge, chargeWeight, textOf: String });
  });
  return { value, steps: spentSteps() - before };
}

const number = fc.oneof(
  fc.integer({ min: -20, max: 20 }),
  fc.constantFrom(-0, 0.5, -2.5, 1e300, 2 ** 53 - 1, -(2 ** 53) + 1, 94_906_267, 1e15),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
);
const value = fc.oneof({ weight: 8, arbitrary: number }, fc.constantFrom<Json>("7", null, true, [1]));
const { sum } = fc.letrec((tie) => ({
  sum: fc.oneof(
    { maxDepth: 3 },
    fc.constantFrom("a", "b", "1", "0", "3", "2.5", "0.5", "9007199254740991", "9007199254740993"),
    fc
      .tuple(tie("sum"), fc.constantFrom("+", "-", "*"), tie("sum"))
      .map(([left, operator, right]) => `(${left} ${operator} ${right})`),
  ),
}));
const source = fc.oneof(
  sum as fc.Arbitrary<string>,
  fc
    .tuple(sum as fc.Arbitrary<string>, fc.constantFrom("<", "<=", ">", ">=", "==", "!="), sum as fc.Arbitrary<string>)
    .map(([left, operator, right]) => `${left} ${operator} ${right}`),
);

it("what is reckoned without CEL has CEL's value and takes CEL's steps", () => {
  let reckoned = 0;
  fc.assert(
    fc.property(source, value, value, (text, a, b) => {
      const quick = tryQuick(text, [a, b]);
      if (quick?.value === undefined) return;
      reckoned += 1;
      expect(quick).toEqual(askCel(text, [a, b]));
    }),
    { numRuns: 3_000 },
  );
  expect(reckoned).toBeGreaterThan(500);
});

it.each([
  ["a + 1", 4, 5],
  ["a - b * 2", 4, -2],
  ["a > b", 4, true],
  ["a == 4.0", 4, true],
  ["a * b", -0, 0],
])("%s is reckoned without CEL", (text, a, expected) => {
  expect(tryQuick(text, [a, 3])?.value).toBe(expected);
});

it.each([
  ["an integer that a double does not hold", "a + 1", 2 ** 53 - 1],
  ["a text", "a + 1", "7"],
  ["nothing", "a + 1", null],
  ["more than a double holds", "a * a", 1e300],
])("%s is left to CEL", (_what, text, a) => {
  expect(tryQuick(text, [a, 0])?.value).toBeUndefined();
});
