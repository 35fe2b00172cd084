/**
 * Arithmetic without the evaluator against the evaluator, on random expressions: the same value for the same steps, or
 * nothing at all.
 */
import fc from "fast-check";
import { expect, it } from "vitest";
import type { Json } from "../../../../src/base/json/json.ts";
import { compileTree } from "../../../../src/flows/expressions/evaluator.ts";
import { parseExpression } from "../../../../src/flows/expressions/language/parser.ts";
import type { Expr } from "../../../../src/flows/expressions/language/syntax.ts";
import { toJson, toValue } from "../../../../src/flows/expressions/values/json.ts";
import { spentSteps, withMeter } from "../../../../src/flows/expressions/values/meter.ts";
import { ExpressionError } from "../../../../src/flows/expressions/values/values.ts";
import { compileQuick } from "../../../../src/flows/interpolation/quick-expression.ts";
import { analyseExpression } from "../../../../src/flows/interpolation/references.ts";

const names = { variables: new Set(["a", "b"]), tasks: new Set<string>() };

function prepare(source: string, values: readonly Json[]): { tree: Expr; slots: Json[] } {
  const { tree, slots, problems } = analyseExpression(parseExpression(source), source, names);
  expect(problems).toEqual([]);
  return { tree, slots: slots.map(({ path }) => values[path[0] === "a" ? 0 : 1] as Json) };
}

function tryQuick(source: string, values: readonly Json[]) {
  const { tree, slots } = prepare(source, values);
  const quick = compileQuick(tree);
  return quick && { value: quick.evaluate((index) => slots[index] as Json), steps: quick.steps };
}

function askEvaluator(source: string, values: readonly Json[]) {
  const { tree, slots } = prepare(source, values);
  const before = spentSteps();
  const value = withMeter(() => {
    try {
      return toJson(compileTree(tree, slots.length)(slots.map(toValue), null));
    } catch (cause) {
      if (cause instanceof ExpressionError) return "an error";
      throw cause;
    }
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

it("what is reckoned without the evaluator has its value and takes its steps", () => {
  let reckoned = 0;
  fc.assert(
    fc.property(source, value, value, (text, a, b) => {
      const quick = tryQuick(text, [a, b]);
      if (quick?.value === undefined) return;
      reckoned += 1;
      expect(quick).toEqual(askEvaluator(text, [a, b]));
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
])("%s is reckoned without the evaluator", (text, a, expected) => {
  expect(tryQuick(text, [a, 3])?.value).toBe(expected);
});

it.each([
  ["an integer that a double does not hold", "a + 1", 2 ** 53 - 1],
  ["a text", "a + 1", "7"],
  ["nothing", "a + 1", null],
  ["more than a double holds", "a * a", 1e300],
])("%s is left to the evaluator", (_what, text, a) => {
  expect(tryQuick(text, [a, 0])?.value).toBeUndefined();
});
