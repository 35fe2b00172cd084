import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isOrchestratorError } from "../../../../src/base/errors.ts";
import type { Json } from "../../../../src/base/json/json.ts";
import { canonicalJson } from "../../../../src/base/json/json-canonical.ts";
import { checkJson, parseJson } from "../../../../src/base/json/json-parse.ts";
import { relativeTime } from "../../../support/relative-time.ts";

const parse = (text: string | Uint8Array): Json => parseJson(text, { field: "input_json" });

function problemOf(body: () => unknown): string {
  try {
    body();
  } catch (error) {
    if (isOrchestratorError(error)) return `${error.code}: ${error.message}`;
    throw error;
  }
  return "accepted";
}

const refused: readonly (readonly [what: string, text: string, says: RegExp])[] = [
  ["NUL in text", '{"a":"x\\u0000y"}', /NUL/],
  ["NUL in a key", '{"\\u0000":1}', /NUL/],
  ["half a surrogate pair", '["\\ud83d"]', /surrogate/],
  ["half a surrogate pair in a key", '{"\\udc00":1}', /surrogate/],
  ["an integer that a double cannot hold", '{"id":9007199254740993}', /9007199254740993 does not fit/],
  ["a large negative integer", "[-12345678901234567890]", /does not fit/],
  ["a number that overflows", "[1e400]", /1e400 does not fit/],
  ["a key that appears twice", '{"b":{"a":1,"a":2}}', /"a" appears twice/],
  ["a key that appears twice by an escape", '{"a":1,"\\u0061":2}', /appears twice/],
  ["65 levels", `${"[".repeat(65)}${"]".repeat(65)}`, /65 levels deep; the limit is 64/],
  ["200,000 levels", "[".repeat(200_000), /levels deep/],
  ["no JSON at all", "{a:1}", /INVALID_JSON/],
  ["text that ends early", '{"a":"b', /it ends before it is complete/],
  ["text that ends in an escape", '{"a":"b\\', /INVALID_JSON/],
  ["nothing", "", /INVALID_JSON/],
  // Cause: what the engine named no position for was called the end of the text.
  ["NaN", "[NaN]", /"N" is not expected at line 1, column 2/],
  ["a word that is cut", "[tru}", /"}" is not expected at line 1, column 5/],
  ["undefined", "undefined", /"u" is not expected/],
  ["a second byte order mark", "\ufeff\ufeff{}", /U\+FEFF is not expected at line 1, column 1/],
];

describe("parseJson", () => {
  it.each(refused)("refuses %s", (_what, text, says) => {
    expect(problemOf(() => parse(text))).toMatch(says);
    expect(problemOf(() => parse(Buffer.from(text)))).toMatch(says);
  });

  it("ignores a byte order mark before the text", () => {
    expect(parse("\ufeff{}")).toEqual({});
    expect(parse(Buffer.from("\ufeff[1]"))).toEqual([1]);
  });

  it("refuses bytes that are no UTF-8", () => {
    expect(problemOf(() => parse(Buffer.from([0x22, 0xff, 0x22])))).toMatch(/not UTF-8/);
  });

  it("refuses raw half surrogate pairs in text that came as text", () => {
    expect(problemOf(() => parse('["\ud83d"]'))).toMatch(/surrogate/);
  });

  it("refuses too many bytes, counted as UTF-8", () => {
    const text = JSON.stringify("ä".repeat(10));
    expect(problemOf(() => parseJson(text, { field: "f", maxBytes: 21 }))).toBe(
      "PAYLOAD_TOO_LARGE: f has 22 bytes; the limit is 21",
    );
    expect(parseJson(text, { field: "f", maxBytes: 22 })).toBe("ä".repeat(10));
  });

  it("takes 64 levels, exact large integers, escaped text that only looks dangerous", () => {
    const deep = `${"[".repeat(64)}${"]".repeat(64)}`;
    expect(JSON.stringify(parse(deep))).toBe(deep);
    expect(parse("[9007199254740992, 69570938916674410, 1e22, 0.1, -0.5e-3]")).toEqual([
      9007199254740992, 69570938916674410, 1e22, 0.1, -0.0005,
    ]);
    expect(parse('{"a":"\\\\u0000","b":"{[:\\"9007199254740993"}')).toEqual({
      a: "\\u0000",
      b: '{[:"9007199254740993',
    });
    expect(parse('"\\ud83d\\ude00"')).toBe("😀");
  });

  it("keeps integers of tools that a double cannot hold as text, when asked", () => {
    expect(
      parseJson('{"id":9007199254740993,"n":1,"t":"9007199254740993"}', { field: "answer", largeIntegers: "text" }),
    ).toEqual({
      id: "9007199254740993",
      n: 1,
      t: "9007199254740993",
    });
    expect(problemOf(() => parseJson("[1e400]", { field: "answer", largeIntegers: "text" }))).toMatch(/does not fit/);
  });

  it("makes the nearest double of them, when asked", () => {
    const options = { field: "answer", largeIntegers: "number" } as const;
    expect(parseJson('{"id":9007199254740993,"n":-0}', options)).toEqual({ id: 9_007_199_254_740_992, n: 0 });
    // Cause: only the first number that does not fit was looked at, so that the message named Infinity.
    expect(problemOf(() => parseJson("[9007199254740993, 1e400]", options))).toMatch(/the number 1e400 does not fit/);
    const digits = "9".repeat(400);
    expect(problemOf(() => parseJson(`[1, ${digits}]`, options))).toMatch(/the number 9{150,}… does not fit/);
    const asText = { field: "answer", largeIntegers: "text" } as const;
    expect(parseJson(`[9007199254740993, ${digits}]`, asText)).toEqual(["9007199254740993", digits]);
    expect(problemOf(() => parseJson(`[9007199254740993, ${digits}, -2.5e999]`, asText))).toMatch(/-2\.5e999 does not/);
  });

  // Cause: the first answer of a start said -0, and every later one 0: the store does not tell them apart.
  it("makes 0 of -0, in text and in values", () => {
    expect(Object.is(parse("-0"), 0)).toBe(true);
    const text = parse('{"a":[-0.0,-1e-999,"-0",-0.5],"-0":-0}');
    expect(Object.is((text as { "-0": number })["-0"], 0)).toBe(true);
    expect(text).toEqual({ a: [0, 0, "-0", -0.5], "-0": 0 });
    const value = { a: [-0, 1], b: { c: -0 }, ["__proto__"]: -0 };
    expect(checkJson(value, { field: "f" })).toEqual({ a: [0, 1], b: { c: 0 }, ["__proto__"]: 0 });
    const same = { a: [0, 1] };
    expect(checkJson(same, { field: "f" })).toBe(same);
  });

  it("leaves prototypes alone", () => {
    const value = parse('{"__proto__":{"polluted":true},"constructor":1}') as Record<string, unknown>;
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
    expect(Object.keys(value)).toEqual(["__proto__", "constructor"]);
    expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
  });

  it("gives what JSON.parse gives for every value it takes", () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 6 }), (value) => {
        const text = JSON.stringify(value);
        const expected: unknown = JSON.parse(text);
        const problem = problemOf(() => expect(parse(text)).toEqual(expected));
        // Only text can stand in the way: random text may hold NUL or half surrogate pairs. Doubles never do, however
        // large.
        if (problem !== "accepted") expect(problem).toMatch(/NUL|surrogate/);
      }),
      { numRuns: 1_000 },
    );
  });

  it.each([
    ["escapes", (n: number) => `"${'\\n\\"'.repeat(n)}"`],
    ["short strings", (n: number) => `[${'"a",'.repeat(n)}"b"]`],
    ["strings with escapes", (n: number) => `[${'"a\\n",'.repeat(n)}"b"]`],
    // Cause: after each escape the end of the string was searched for again; 3 MB of such text stopped the event loop
    // for minutes.
    ["escapes within one string", (n: number) => JSON.stringify("\n, ".repeat(n))],
    ["keys", (n: number) => `{${Array.from({ length: n }, (_, index) => `"k${index}":1`).join(",")}}`],
  ])(
    "takes time proportional to the text: %s",
    (_what, make) => {
      // A quadratic look for the next backslash was here once: 0.3 s for 0.6 MB.
      const [small, large] = [make(20_000), make(160_000)];
      const ratio = relativeTime(
        () => void parse(large),
        () => void parse(small),
        8,
      );
      expect(ratio).toBeLessThan(40);
    },
    60_000,
  );
});

it("a double that is printed is taken back, also when it is a large integer", () => {
  fc.assert(
    fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), fc.integer(), (double, integer) => {
      for (const value of [double, Math.trunc(double), integer * 2 ** 30])
        expect(parse(JSON.stringify([value]))).toEqual([value === 0 ? 0 : value]);
    }),
  );
});

describe("checkJson", () => {
  it("refuses what the store cannot keep", () => {
    expect(problemOf(() => checkJson({ a: "\u0000" }, { field: "output" }))).toMatch(/NUL/);
    expect(problemOf(() => checkJson(["\ud800"], { field: "output" }))).toMatch(/surrogate/);
    expect(problemOf(() => checkJson({ a: [Number.NaN] }, { field: "output" }))).toMatch(/NaN/);
    expect(problemOf(() => checkJson(JSON.parse(`${"[".repeat(65)}${"]".repeat(65)}`), { field: "output" }))).toMatch(
      /deeper than 64/,
    );
    expect(problemOf(() => checkJson({ a: [1, null, true, "x"] }, { field: "output" }))).toBe("accepted");
  });
});

describe("canonicalJson", () => {
  it("sorts keys, writes numbers shortest, and does not depend on the order of keys", () => {
    expect(canonicalJson({ b: 1, a: [1.0, 1e21, 0.000001, "é\u20ac"], "\u20ac": null, A: {} })).toBe(
      '{"A":{},"a":[1,1e+21,0.000001,"é€"],"b":1,"€":null}',
    );
    expect(canonicalJson({ x: { b: 1, a: 2 } })).toBe(canonicalJson({ x: { a: 2, b: 1 } }));
  });

  it("keeps __proto__ as a key", () => {
    expect(canonicalJson(JSON.parse('{"__proto__":1}') as Json)).toBe('{"__proto__":1}');
  });
});
