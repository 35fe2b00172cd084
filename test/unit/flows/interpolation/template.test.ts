import { describe, expect, it } from "vitest";
import { isOrchestratorError } from "../../../../src/base/errors.ts";
import type { Json } from "../../../../src/base/json/json.ts";
import { MAX_STEPS } from "../../../../src/flows/expressions/values/meter.ts";
import { compileTemplate, holdsExpression } from "../../../../src/flows/interpolation/template.ts";
import { scopeWith } from "../scope.ts";

const vars = {
  n: 5,
  x: 1.5,
  s: "ab",
  yes: true,
  none: null,
  list: Array.from({ length: 150 }, (_, index) => index),
  rows: Array.from({ length: 10_000 }, (_, index) => ({ v: index, s: "x".repeat(20) })),
  same: Array.from({ length: 10_000 }, (_, index) => ({ v: index, s: "x".repeat(20) })),
  o: { a: { b: [10, 20] }, "key with space": 1 },
  "my-var": "hyphen",
};
const outputs = { a: { n: 41, text: "${vars.n}", big: 12345678901 }, "my-task": { v: 7 }, empty: null };
const names = { variables: new Set(Object.keys(vars)), tasks: new Set(Object.keys(outputs)) };
const scope = scopeWith(vars, outputs, {
  item: { id: 3 },
  index: 2,
  first: { id: "a", output: 1 },
  signal: { name: "go", payload: 9 },
});

function evaluate(value: Json): Json {
  const { template, problems } = compileTemplate(value, names);
  expect(problems).toEqual([]);
  return template.evaluate(scope);
}

function failure(value: Json): string {
  try {
    evaluate(value);
  } catch (error) {
    if (isOrchestratorError(error)) return `${error.code}: ${error.message}`;
    throw error;
  }
  return "no failure";
}

function problems(value: Json): string {
  return compileTemplate(value, names)
    .problems.map(({ path, description }) => `${path.join(".")}: ${description}`)
    .join("\n");
}

describe("a template", () => {
  it.each<[Json, Json]>([
    ["${n}", 5],
    ["${x}", 1.5],
    ["${o}", vars.o],
    ["${none}", null],
    ["${yes}", true],
    ["n is ${n}", "n is 5"],
    ["${n}${s}", "5ab"],
    ["${x * 2}!", "3!"],
    ["${x * 2}", 3],
    [
      "o is ${o}, none is ${none}, list ${list.filter(e, e < 2)}",
      'o is {"a":{"b":[10,20]},"key with space":1}, none is null, list [0,1]',
    ],
    ["$${n} costs $5 and ${n}", "${n} costs $5 and 5"],
    ["$${", "${"],
    ["${ {'}': '${'} }", { "}": "${" }],
    ['${ "\\"}" + s }', '"}ab'],
    ["${ r'\\' + s }", "\\ab"],
    [
      { deep: ["${n}", { even: "${n + 1}" }], plain: 1 },
      { deep: [5, { even: 6 }], plain: 1 },
    ],
  ])("%j gives %j", (template, value) => {
    expect(evaluate(template)).toEqual(value);
  });

  it("never evaluates what came out", () => {
    expect(evaluate("${tasks.a.output.text}")).toBe("${vars.n}");
    expect(evaluate("<${tasks.a.output.text}>")).toBe("<${vars.n}>");
  });

  it("without expressions is constant and gives the very same value", () => {
    const value = { a: ["$5", { b: 1 }] };
    const { template } = compileTemplate(value, names);
    expect(template.constant).toBe(true);
    expect(template.evaluate(scope)).toBe(value);
    expect(compileTemplate("$${x}", names).template.constant).toBe(true);
    expect(compileTemplate("${1 + 1}", names).template.constant).toBe(false);
  });

  it("gives the value itself, not a copy, for a reference alone", () => {
    expect(evaluate("${rows}")).toBe(vars.rows);
  });

  it("knows where expressions are", () => {
    expect([
      holdsExpression("a ${b}"),
      holdsExpression("$${b}"),
      holdsExpression("$${a}${b}"),
      holdsExpression("$5 {}"),
    ]).toEqual([true, false, true, false]);
  });

  it("reports text that is not closed, keys with expressions and empty expressions with their path", () => {
    expect(problems({ a: ["${n", "${}"] })).toMatch(/^a\.0: .*not closed.*\na\.1: .*empty$/);
    expect(problems({ "${n}": 1 })).toMatch(/keys are not evaluated/);
  });
});

describe("names", () => {
  it.each<[string, Json]>([
    ["${vars.n + tasks.a.output.n}", 46],
    ["${n + a.output.n}", 46],
    ['${vars["my-var"]}', "hyphen"],
    ['${tasks["my-task"].output.v}', 7],
    ['${o["key with space"]}', 1],
    ["${o.a.b[1]}", 20],
    ["${o.a.b[n - 5]}", 10],
    ["${item.id + index}", 5],
    ["${deps.first.output}", 1],
    ["${signal.payload}", 9],
    ["${run.run_id}", "run-1"],
    ["${tasks.empty.output == null}", true],
    ["${tasks.empty.state}", "COMPLETED"],
    ["${size(vars)}", 10],
    ["${has(o.a)}", true],
    ["${has(o.z)}", false],
    ["${has(vars.n) && has(o.a.b)}", true],
    ["${list.map(n, n * 2)[3]}", 6],
    ["${[{'n': 1}].map(o, o.n)[0]}", 1],
    ["${[[{'k': [7]}]].map(o, o[0].k[0])[0]}", 7],
  ])("%s gives %j", (template, value) => {
    expect(evaluate(template)).toEqual(value);
  });

  it.each([
    ["${nn}", /unknown name "nn"/],
    ["${vars.nope}", /no variable "nope"/],
    ["${tasks.b.output}", /no task "b"/],
    ["${tasks.a.outptu}", /has no "outptu"; did you mean "output"/],
    ["${tasks.a.n}", /data is under tasks.a.output/],
    ["${tasks[s].output}", /name the task/],
    ["${size(tasks)}", /name the task/],
    ["${my-task.output}", /hyphen is written tasks\["my-task"\]/],
    ["${vars.my-var}", /hyphen is written vars\["my-var"\]/],
    ["${deps.second}", /deps has no "second"; it has first/],
    ["${deps}", /name a member: deps\.first/],
    ["${run.output}", /run has no "output"; it has run_id, flow_id/],
    ["${signal.data}", /it has name, payload/],
    ["${for.output}", /reserved.*tasks\["name"\]/],
    ["${foo(n)}", /no function "foo"/],
    ["${s.upperAscci()}", /did you mean "upperAscii"/],
    ["${Foo{a: 1}}", /messages such as Foo/],
    ["${n +}", /cannot be read at its end: a value is expected/],
    ["${tasks.in.output}", /reserved.*written tasks/],
    ["${n; process.exit()}", /cannot be read/],
    ["${require('fs')}", /no function "require"/],
    [`\${${"n+".repeat(3000)}n}`, /limit is 4096/],
    [`\${${"(".repeat(2000)}n${")".repeat(2000)}}`, /nests|accepted/],
    ["${'%d'.format([n])}", /no function "format"/],
    [`\${${"n+".repeat(199)}n}`, /accepted/],
    [`\${${"n+".repeat(200)}n}`, /nests deeper than 200 operations/],
    [`\${${"n+".repeat(2000)}n}`, /nests/],
    [`\${${"[".repeat(201)}n${"]".repeat(201)}}`, /nests deeper/],
    [`\${o${".a".repeat(1500)}}`, /accepted/],
  ])("%s is refused: %s", (template, says) => {
    expect(problems(template) || "accepted").toMatch(says);
  });

  it("refuses a bare name that is a variable and a task", () => {
    const both = { variables: new Set(["a"]), tasks: new Set(["a"]) };
    expect(compileTemplate("${a.output}", both).problems[0]?.description).toMatch(/write vars.a or tasks.a/);
    expect(compileTemplate("${tasks.a.output}", both).problems).toEqual([]);
  });

  it("tells what a template reads", () => {
    const { reads } = compileTemplate({ p: "${a.output.n + n}", q: ["${[1].map(n, n + item.x)}"] }, names);
    expect(reads.map(({ slot, path }) => [slot.root, ...slot.path, "at", ...path])).toEqual([
      ["tasks", "a", "output", "n", "at", "p"],
      ["vars", "n", "at", "p"],
      ["item", "x", "at", "q", 0],
    ]);
  });
});

describe("evaluation", () => {
  it.each<[string, Json]>([
    ["${n / 2}", 2],
    ["${n / 2.0}", 2.5],
    ["${n + x}", 6.5],
    ["${x - n}", -3.5],
    ["${n * x}", 7.5],
    ["${x / n}", 0.3],
    ["${n % 2}", 1],
    ["${n == 5.0 && x < n && n >= 5}", true],
    ["${a.output.big + 1}", 12345678902],
    ["${-0.0}", 0],
    ["${1 in list && !('1' in list)}", true],
    ["${o == {'a': {'b': [10, 20.0]}, 'key with space': 1}}", true],
    ["${o != {'a': 1}}", true],
    ["${list.exists(e, e == 149) ? 'yes' : 'no'}", "yes"],
    ["${list.all(e, e < 10)}", false],
    ["${list.exists_one(e, e == 7)}", true],
    ["${rows.filter(r, r.v > 9997).map(r, r.v)}", [9998, 9999]],
    ["${s.upperAscii() + ' '.trim() + ['x', 'y'].join('-')}", "ABx-y"],
    ["${'a,b'.split(',')}", ["a", "b"]],
    ["${s.matches('^a')}", true],
    ["${timestamp('2030-01-01T00:00:00Z') + duration('90m')}", "2030-01-01T01:30:00Z"],
    ["${type(n)}", "int"],
    ["${{'list': list.filter(e, e > 147), 's': s}}", { list: [148, 149], s: "ab" }],
    ["${o.a.b.map(e, e > 10, e + 1)}", [21]],
    ["${list.map(e, [e])[149][0]}", 149],
    ["${b'abc'}", "YWJj"],
    ["${false && none.x || true}", true],
    ["${none.x == 1 || true}", true],
  ])("%s gives %j", (template, value) => {
    expect(evaluate(template)).toEqual(value);
  });

  it.each([
    ["${o.z}", /vars\.o has no "z"/],
    ["${none.x + 1}", /vars\.none is null; it has no "x"/],
    ["${list[500]}", /list of 150; it has no element 500/],
    // Cause: a constant index became a double, and the message named its neighbor.
    ["${list[9007199254740993]}", /no element 9007199254740993 in the list/],
    ["${list[9223372036854775807]}", /no element 9223372036854775807 in the list/],
    ["${list[n + 500]}", /EXPRESSION_FAILED/],
    ["${n.x}", /is a number; it has no "x"/],
    ["${tasks.empty.output.x}", /tasks\.empty\.output is null/],
    ["${n + s}", /no matching overload/],
    ["${n / 0}", /divide by zero/],
    ["${1.0 / 0.0}", /JSON cannot hold/],
    ["${9223372036854775807 + n}", /overflow/],
    ["${9007199254740993 + 0}", /cannot be held exactly/],
    ["${list.map(e, e.q)}", /EXPRESSION_FAILED/],
    ["${int(s)}", /EXPRESSION_FAILED/],
    ["${compensates.task}", /compensates does not exist here/],
  ])("%s fails: %s", (template, says) => {
    expect(failure(template)).toMatch(says);
  });

  it.each(["constructor", "__proto__", "prototype", "toString", "hasOwnProperty", "__defineGetter__", "valueOf"])(
    "does not see the property %s",
    (name) => {
      for (const template of [
        `\${o.${name}}`,
        `\${o['${name}']}`,
        `\${o['${name.slice(0, 3)}' + '${name.slice(3)}']}`,
        `\${list.${name}}`,
        `\${s.${name}}`,
        `\${[o].map(e, e.${name})}`,
      ]) {
        expect(failure(template)).toMatch(/EXPRESSION_FAILED/);
      }
      expect(evaluate(`\${has(o.${name})}`)).toBe(false);
      expect(problems(`\${vars.${name}}`)).toMatch(/no variable/);
      expect(problems(`\${${name}}`)).toMatch(/unknown name|cannot be read/);
    },
  );

  it.each([
    ["three nested loops", "${list.map(a, list.map(b, list.map(c, a + b + c)))}"],
    ["nested exists", "${list.exists(a, list.exists(b, list.exists(c, a + b + c > 1000)))}"],
    ["a search in a search", "${rows.all(r, r in rows)}"],
    ["equality of large values in a loop", "${list.all(e, rows == same)}"],
    ["doubling text", `\${[s]${".map(t, t + t)".repeat(60)}}`],
    ["doubling lists", `\${[list]${".map(t, t + t)".repeat(60)}}`],
    ["a result that repeats a large value", "${rows.map(r, rows)}"],
    ["replacing everything by much", "${rows.map(r, r.s).join('').replace('x', rows.map(r, r.s).join(''))}"],
    ["patterns in a loop", "${rows.filter(r, r.s.matches('(x+x+)+y' + string(r.v)))}"],
    ["replacing text by text as long", "${rows.map(r, rows.map(r, r.s).join('')).join('').replace('x', s)}"],
    ["errors swallowed in a loop", "${list.exists(a, list.exists(b, list.exists(c, a.q == 1)) || false)}"],
  ])("ends with EXPRESSION_TOO_COSTLY: %s", (_what, template) => {
    expect(failure(template)).toMatch(new RegExp(`EXPRESSION_TOO_COSTLY: .*needs more than ${MAX_STEPS} steps`));
  });

  it("lets one loop over 10,000 elements through", () => {
    expect(evaluate("${size(rows.filter(r, r.v % 2 == 0).map(r, r.v * 10))}")).toBe(5_000);
  });

  it("has one budget for all expressions of a value, and a new one for the next value", () => {
    const once = "${size(rows.map(r, r.v))}";
    expect(evaluate(once)).toBe(10_000);
    expect(failure(Array.from({ length: 30 }, () => once))).toMatch(/EXPRESSION_TOO_COSTLY/);
    expect(evaluate(once)).toBe(10_000);
  });

  // Values share what they hold: a list of the last output twice doubles with every task, costs nothing to make, and
  // minutes or the memory to write.
  it("counts what is read as if it were copied, so that outputs in outputs in outputs come to an end", () => {
    const grow: readonly Json[] = [
      ["${tasks.last.output}", "${tasks.last.output}"],
      { a: "${tasks.last.output}", b: { c: "${tasks.last.output}" } },
      "${[tasks.last.output, tasks.last.output]}",
      "${tasks.last.output} ${tasks.last.output}",
    ];
    for (const value of grow) {
      let last: Json = "0123456789";
      let size = 0;
      expect(() => {
        for (let round = 0; round < 100; round += 1) {
          const { template } = compileTemplate(value, { variables: new Set(), tasks: new Set(["last"]) });
          last = template.evaluate(scopeWith({}, { last }));
          size = JSON.stringify(last).length;
        }
      }).toThrow(/needs more than/);
      expect(size).toBeGreaterThan(500_000);
      expect(size).toBeLessThan(10_000_000);
    }
  });

  it("refuses what nests deeper than callers may send, also outputs in outputs", () => {
    let last: Json = 1;
    const { template } = compileTemplate(["${tasks.last.output}"], { variables: new Set(), tasks: new Set(["last"]) });
    expect(() => {
      for (let round = 0; round < 100; round += 1) last = template.evaluate(scopeWith({}, { last }));
    }).toThrow(/nests deeper than 64 levels/);
  });

  it("lets a value of 4 MB through", () => {
    const text = "x".repeat(4_194_304);
    const { template } = compileTemplate(
      { a: "${tasks.last.output}" },
      { variables: new Set(), tasks: new Set(["last"]) },
    );
    expect(template.evaluate(scopeWith({}, { last: text }))).toEqual({ a: text });
  });

  it("keeps a key __proto__ a key", () => {
    const value = evaluate(JSON.parse('{"__proto__": "${n}"}') as Json) as object;
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
    expect(Object.keys(value)).toEqual(["__proto__"]);
    expect(Object.keys(evaluate("${{'__proto__': {'x': n}}}") as object)).toEqual(["__proto__"]);
  });
});
