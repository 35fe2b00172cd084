/** Our evaluation (slots, views, functions in front, meter in loops) against the library's own, on random expressions: the same value, or both fail. */
import { type CelFunc, CelScalar, celEnv, celFunc, isCelError, isCelList, isCelMap, parse, plan } from "@bufbuild/cel";
import fc from "fast-check";
import { expect, it } from "vitest";
import type { Json, JsonObject } from "../../../src/base/json.ts";
import { compileTemplate } from "../../../src/flows/template.ts";
import { scopeWith } from "./scope.ts";

const vars: JsonObject = {
  n: 7,
  z: 0,
  d: 2.5,
  s: "text",
  t: true,
  l: [1, 2, 3, 2.5, 10],
  words: ["a", "bb", "text"],
  o: { a: 1, b: { c: [1, { e: "f" }] }, s: "text" },
  rows: [
    { v: 1, w: "x" },
    { v: 2, w: "y" },
    { v: 2.5, w: "text" },
  ],
  none: null,
};

const { INT, DOUBLE } = CelScalar;
const mixed: CelFunc[] = [
  ["_+_", (a: number, b: number) => a + b] as const,
  ["_-_", (a: number, b: number) => a - b] as const,
  ["_*_", (a: number, b: number) => a * b] as const,
  ["_/_", (a: number, b: number) => a / b] as const,
].flatMap(([name, apply]) => [
  celFunc(name, [INT, DOUBLE], DOUBLE, (a, b) => apply(Number(a), b)),
  celFunc(name, [DOUBLE, INT], DOUBLE, (a, b) => apply(a, Number(b))),
]);
const libraryEnvironment = celEnv({ funcs: mixed });

/** The library's input: integral numbers as bigint, objects as maps. */
function toInput(value: Json): unknown {
  if (typeof value === "number") return Number.isInteger(value) ? BigInt(value) : value;
  if (Array.isArray(value)) return value.map((element: Json) => toInput(element));
  if (typeof value === "object" && value !== null)
    return new Map(Object.entries(value).map(([key, element]) => [key, toInput(element as Json)]));
  return value;
}

function toOutput(value: unknown): unknown {
  if (isCelError(value)) throw value;
  if (typeof value === "bigint") return Number(value);
  if (typeof value === "number" && !Number.isFinite(value)) throw new Error("not JSON");
  if (isCelList(value)) return [...value].map(toOutput);
  if (isCelMap(value))
    return Object.fromEntries([...value.entries()].map(([key, element]) => [String(key), toOutput(element)]));
  return Object.is(value, -0) ? 0 : value;
}

const input = toInput(vars) as Map<string, unknown>;

function byLibrary(source: string): unknown {
  return toOutput(plan(libraryEnvironment, parse(source))(Object.fromEntries(input) as never));
}

const { template } = fc.letrec((tie) => {
  const expression = tie("template") as fc.Arbitrary<string>;
  const number = fc.constantFrom(
    "n",
    "z",
    "d",
    "1",
    "2",
    "0",
    "3.5",
    "l[0]",
    "l[3]",
    "o.a",
    "rows[1].v",
    "size(l)",
    "o.b.c[0]",
    "9223372036854775807",
    "-4",
  );
  const text = fc.constantFrom("s", "'a'", '"text"', "o.s", "words[1]", "rows[2].w", "o.b.c[1].e", "''");
  const truth = fc.constantFrom("t", "true", "false", "has(o.a)", "has(o.z)", "has(o.b.c)");
  const list = fc.constantFrom("l", "words", "[1, 2]", "[]", "rows", "o.b.c", "[[1], [2]]");
  const object = fc.constantFrom("o", "o.b", "rows[0]", "{'k': n}", "{}", "{'a': 1, 's': 'text'}");
  const wrong = fc.constantFrom("none", "o.nope", "l[99]", "none.x", "n.x", "words['a']");
  const leaf = fc.oneof({ weight: 3, arbitrary: number }, { weight: 2, arbitrary: text }, truth, list, object, wrong);
  const operator = fc.constantFrom("+", "-", "*", "/", "%", "<", "<=", ">", ">=", "==", "!=", "&&", "||", "in");
  const loop = fc
    .tuple(
      fc.constantFrom("map", "filter", "all", "exists", "exists_one"),
      fc.constantFrom("l", "words", "rows", "o", "[1, 2, 3]", "[[1, 2], [3]]"),
      fc.constantFrom(
        "x",
        "x > 1",
        "x == 'bb'",
        "x.v",
        "x.v + n",
        "x.w + s",
        "x in l",
        "x[0]",
        "x.v == 2",
        "[x, n]",
        "{'x': x}",
        "l.map(y, y == x)",
        "rows.exists(x, x.v == n)",
        "size(x)",
        "x.q == 1 || true",
      ),
    )
    .map(([macro, range, body]) => `${range}.${macro}(x, ${body})`);
  return {
    template: fc.oneof(
      { depthSize: "small", withCrossShrink: true },
      leaf,
      loop,
      fc.tuple(expression, operator, expression).map(([left, op, right]) => `(${left} ${op} ${right})`),
      fc.tuple(expression, expression, expression).map(([condition, yes, no]) => `(${condition} ? ${yes} : ${no})`),
      fc.tuple(list, list).map(([left, right]) => `(${left} + ${right})`),
      fc
        .tuple(text, fc.constantFrom("+", "<", ">=", "=="), text)
        .map(([left, op, right]) => `(${left} ${op} ${right})`),
      fc.tuple(number, operator, number).map(([left, op, right]) => `(${left} ${op} ${right})`),
      fc.tuple(expression, list).map(([left, right]) => `(${left} in ${right})`),
      expression.map((inner) => `!(${inner})`),
      expression.map((inner) => `-(${inner})`),
      expression.map((inner) => `size(${inner})`),
      expression.map((inner) => `string(${inner})`),
      expression.map((inner) => `[${inner}, ${inner}]`),
      expression.map((inner) => `{'v': ${inner}}.v`),
      fc.tuple(expression, text).map(([left, right]) => `string(${left}).contains(${right})`),
    ),
  };
});

it("gives what the library gives, for random expressions", () => {
  const names = { variables: new Set(Object.keys(vars)), tasks: new Set<string>() };
  const scope = scopeWith(vars);
  let values = 0;
  fc.assert(
    fc.property(template as fc.Arbitrary<string>, (source) => {
      const compiled = compileTemplate(`\${${source}}`, names);
      expect(compiled.problems).toEqual([]);
      let expected: unknown;
      let libraryFails = false;
      try {
        expected = byLibrary(source);
      } catch {
        libraryFails = true;
      }
      // An integer that a double cannot hold is a value for the library and no JSON for us.
      if (typeof expected === "number" && Number.isInteger(expected) && !Number.isSafeInteger(expected)) return;
      if (JSON.stringify(expected)?.includes("e+") || JSON.stringify(expected)?.match(/\d{16}/)) return;
      if (libraryFails) expect(() => compiled.template.evaluate(scope), source).toThrow(/EXPRESSION|failed/);
      else {
        values++;
        expect(compiled.template.evaluate(scope), source).toEqual(expected);
      }
    }),
    { numRuns: 1_000 },
  );
  expect(values).toBeGreaterThan(150);
});
