/** What expressions give, where the library that evaluated them before gave something else. */
import { describe, expect, it } from "vitest";
import { isOrchestratorError } from "../../../../src/base/errors.ts";
import type { Json } from "../../../../src/base/json/json.ts";
import { compileTemplate } from "../../../../src/flows/interpolation/template.ts";
import { scopeWith } from "../scope.ts";

const vars = {
  s: "😀a😀",
  n: 5,
  none: null,
  list: [3, 1, 2],
  rows: [{ price: 2.5 }, { price: 4 }],
  json: { n: null, a: 1 },
  half: "\ud83d",
  y: 7,
};
const names = { variables: new Set(Object.keys(vars)), tasks: new Set<string>() };
const scope = scopeWith(vars, {}, { now: Date.UTC(2026, 0, 31, 8) });

function evaluate(source: string): Json {
  const { template, problems } = compileTemplate(`\${${source}}`, names);
  expect(problems).toEqual([]);
  return template.evaluate(scope);
}

function failure(source: string): string {
  const { template, problems } = compileTemplate(`\${${source}}`, names);
  if (problems.length > 0) return `refused: ${problems.map(({ description }) => description).join("; ")}`;
  try {
    return `gives ${JSON.stringify(template.evaluate(scope))}`;
  } catch (error) {
    if (isOrchestratorError(error)) return `${error.code}: ${error.message}`;
    throw error;
  }
}

describe("values", () => {
  it.each<[string, Json]>([
    // Cause: the library took an int for milliseconds.
    ["timestamp(1700000000)", "2023-11-14T22:13:20Z"],
    ["timestamp(int(timestamp('2026-01-31T08:00:00Z')))", "2026-01-31T08:00:00Z"],
    ["int(timestamp('1969-12-31T23:59:59.5Z'))", -1],
    // Cause: its split dropped the rest.
    ["'key=a=b'.split('=', 2)", ["key", "a=b"]],
    ["'a,b'.split(',', 0)", []],
    ["'a,b'.split(',', -1)", ["a", "b"]],
    ["'abc'.split('', 2)", ["a", "bc"]],
    ["''.split('')", []],
    // Cause: its maps took null for "not there".
    ["'n' in {'n': null}", true],
    ["has({'n': null}.n)", true],
    ["has(json.n) && 'n' in json && !has(json.b)", true],
    ["{'n': null} == json || {'n': null, 'a': 1.0} == json", true],
    // Cause: its replace read -1 as none, and put an empty part once more at the front.
    ["'aaa'.replace('a', 'b', -1)", "bbb"],
    ["'aaa'.replace('a', 'b', 2)", "bba"],
    ["'ab'.replace('', '-')", "-a-b-"],
    ["'ab'.replace('', '-', 2)", "-a-b"],
    // Cause: its maps kept keys as text.
    ["size({1: 'a', '1': 'b'})", 2],
    ["{1: 'a', '1': 'b'}[1] + {1: 'a', '1': 'b'}['1']", "ab"],
    ["{1: 'a'}[1u] + {1: 'a'}[1.0]", "aa"],
    // Cause: positions beyond the end were errors.
    ["'hello'.indexOf('l', 9)", -1],
    ["'hello'.lastIndexOf('l', 9)", -1],
    ["'hello'.lastIndexOf('l', 2)", 2],
    // Cause: the parser dropped the dot, and the name became the variable of the loop.
    ["[1, 7].exists(y, .y == 7)", true],
    ["[1].exists(y, .y == 1)", false],
    // Cause: its string functions counted UTF-16 units.
    ["s.charAt(0)", "😀"],
    ["s.charAt(1)", "a"],
    ["size(s)", 3],
    ["s.substring(0, size(s) - 1)", "😀a"],
    ["s.indexOf('a')", 1],
    ["s.lastIndexOf('😀')", 2],
    ["s.split('')", ["😀", "a", "😀"]],
    ["s.reverse()", "😀a😀"],
    ["'\\uffee' < '😀'", true],
    ["['😀', '\\uffee', 'a'].sort()", ["a", "\uffee", "😀"]],
    // Wishes: lists, numbers, time.
    ["list.sum() + [1.5, 2].sum() + [].sum()", 9.5],
    ["[list.min(), list.max()]", [1, 3]],
    ["list.sort()", [1, 2, 3]],
    ["[2.5, 1].sort()", [1, 2.5]],
    ["[[1], [2, [3]], 4].flatten()", [1, 2, [3], 4]],
    ["[[1], [2, [3]], 4].flatten(2)", [1, 2, 3, 4]],
    ["range(3) + lists.range(2)", [0, 1, 2, 0, 1]],
    ["rows.map(r, r.price).sum()", 6.5],
    ["list.reduce(sum, x, 10, sum + x)", 16],
    ["list.reduce(all, x, [], [x] + all)", [2, 1, 3]],
    ["list.reduce(y, x, .y, y + x)", 13],
    ["list.slice(1, 3) + list.reverse() + [1, 1.0, 2].distinct()", [1, 2, 2, 1, 3, 1, 2]],
    ["[math.greatest(1, 2.5), math.least([4, 3]), math.ceil(1.2), math.floor(n)]", [2.5, 3, 2, 5]],
    ["[now(), now() - duration('1h')]", ["2026-01-31T08:00:00Z", "2026-01-31T07:00:00Z"]],
    ["now().getHours('Europe/Berlin')", 9],
    ["-0.0", 0],
    ["[-0.0, 0.0 * -1.0]", [0, 0]],
  ])("%s gives %j", (source, value) => {
    expect(evaluate(source)).toEqual(value);
  });
});

describe("errors", () => {
  it.each([
    // Cause: conversions went by JavaScript's.
    ["int('')", /int\(""\): that is no integer/],
    ["int('\\n')", /no integer/],
    ["int(' 5 ')", /no integer/],
    ["int('0x10')", /no integer/],
    [`int('${"9".repeat(100)}')`, /no integer of 64 bits/],
    ["double(' ')", /double\(" "\): that is no number/],
    ["double('')", /no number/],
    ["uint('-1')", /no uint/],
    ["duration('')", /duration\(""\): that is no duration; write numbers with h, m, s/],
    ["duration('1')", /no duration/],
    ["timestamp('2026-02-30T00:00:00Z')", /that is no time; write RFC 3339 with a zone/],
    ["timestamp('2026-01-01T24:00:00Z')", /no time/],
    ["timestamp('2026-01-01T00:00:00')", /no time/],
    ["timestamp('2026-01-01')", /no time/],
    ["timestamp('2026-01-01T00:00:60Z')", /no time/],
    // Cause: unary minus and literals left 64 bits.
    ["-(-9223372036854775808)", /overflow: 9223372036854775808/],
    ["-9223372036854775808 / -1", /overflow/],
    ["9223372036854775808", /refused: .*does not fit into an int/],
    ["18446744073709551616u", /refused: .*does not fit into a uint/],
    ["1e999", /refused: .*does not fit into a double/],
    ["{0: 1, 0u: 2}", /the key 0u twice/],
    // Cause: what an expression gave was not checked like input.
    ["'a\\u0000b'", /EXPRESSION_FAILED: .*text with NUL/],
    ["{'a\\x00': 1}", /text with NUL/],
    ["['ok', ['\\000']]", /text with NUL/],
    ["half + 'x'", /half of a surrogate pair/],
    ["{half: 1}", /half of a surrogate pair/],
    ["'\\ud83d'", /refused: .*names no character/],
    // Cause: a value may nest without end, and the stack ran over where it was compared, written or stored.
    ["lists.range(10000).reduce(all, x, [], [all])", /nests deeper than 64 levels/],
    ["lists.range(64).reduce(all, x, {}, {'a': all})", /nests deeper than 64 levels/],
    ["lists.range(9000).reduce(a, x, [], [a]) == lists.range(9000).reduce(a, x, [], [a])", /nests too deep/],
    ["{1: 'a', '1': 'b'}", /two keys that are "1" in JSON/],
  ])("%s fails: %s", (source, says) => {
    expect(failure(source)).toMatch(says);
  });

  it.each([
    ["[][0]", /at character 3 \("\[0\]"\): there is no element 0 in the list; it is empty/],
    ["list[n]", /there is no element 5 in the list; it has the elements 0 to 2/],
    ["list['a' + '']", /an element of a list is found by an int, not by a value of type string/],
    ["json[s]", /there is no "😀a😀" in the map; ask key in map first/],
    ["[json].map(j, j.x)", /there is no "x" in the map; ask has\(…\) first/],
    [
      "n + s",
      /at character 3 \("\+ s"\): no matching overload for int \+ string; there is .*; convert one side: string\(…\)/,
    ],
    ["none + 1", /no matching overload for null \+ int.*a null has to be asked for first/],
    [
      "size(n)",
      /no matching overload for size\(int\); there is size\(string\), size\(bytes\), size\(list\), size\(map\)/,
    ],
    ["n && true", /&& needs true or false, not a value of type int/],
    ["n.map(x, x)", /map goes over a list or the keys of a map, not over a value of type int/],
    ["n.trim()", /no matching overload for int\.trim\(\); there is string\.trim\(\)/],
    ["[].max()", /max of an empty list; ask size\(list\) > 0 first/],
    ["['a', 1].sort()", /no common order/],
    // Cause: an offset was read by its digits, and no zone at all was UTC.
    ["now().getHours('+99:99')", /no time zone "\+99:99"/],
    ["now().getMinutes('+24:00')", /no time zone "\+24:00"/],
    ["now().getDate('-05:60')", /no time zone "-05:60"/],
    ["now().getDayOfMonth('')", /no time zone ""; write a name such as "Europe\/Berlin"/],
    ["now().getFullYear('+1:00')", /no time zone/],
    ["now().getMonth(' UTC')", /no time zone/],
    ["now().getHours('Mars')", /no time zone "Mars"; write a name such as "Europe\/Berlin"/],
    ["s.charAt(9)", /charAt: there is no position 9; the string has 3 characters/],
    ["'x'.matches('(')", /the pattern "\(" cannot be read/],
    ["1 = 2", /at character 3 \("= 2"\): "=" means nothing here; compare with ==/],
    ["(1", /at character 1 \("\(1"\): "\(" is not closed; "\)" is missing/],
    ["n n", /at character 3 \("n"\): an operator is expected, not "n"/],
    ["[1,,2]", /at character 4.*a value is expected, not ","/],
    ["n ? 1", /at character 3.*"\?" is not closed; ":" is missing/],
    ["'\\q'", /"\\\\q" is no escape/],
    ["list.map(a.b, 1)", /map needs a plain name here; it is written list\.map\(x, value\)/],
    ["list.reduce(x, 1)", /reduce has 2 arguments; it is written list\.reduce\(sum, x, start, value\)/],
    ["has(n)", /has\(…\) takes one member, for instance has\(vars\.x\)/],
    ["split(s, ',')", /"split" is a method; write string\.split\(string\)/],
    ["s.int()", /"int" is a function; write int\(int\)/],
    ["s.trim(1)", /"trim" does not take 1 arguments; there is string\.trim\(\)/],
    ["math.cbrt(n)", /no function "math\.cbrt"/],
    ["list.?first", /optional values do not exist here/],
  ])("%s says: %s", (source, says) => {
    const message = failure(source);
    expect(message).toMatch(says);
    expect(message).not.toMatch(/undefined|\[object|expecting|\[0, -1\)/);
  });

  it("says that now() has no time where there is none", () => {
    const { template } = compileTemplate("${now()}", names);
    expect(() => template.evaluate(scopeWith(vars))).toThrow("now() has no time here");
  });
});

it("an open parenthesis costs nothing: the parser never goes back", () => {
  // Cause: the time of the library's parser grew with the cube of the number of parentheses; 4,000 of them took
  // minutes.
  for (const open of ["(", "[", "{", "f(", "!(", "a[", "x.map(y,", "-(", "a?("]) {
    const { problems } = compileTemplate(`\${${open.repeat(Math.floor(4_000 / open.length))}}`, names);
    expect(problems.length, open).toBe(1);
  }
});
