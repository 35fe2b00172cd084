import { describe, expect, it, test } from "vitest";
import { linesOf, tasks, warningsOf } from "./judge.ts";

const VARIABLES = `variables:
  - {name: n, type: number}
  - {name: i, type: integer, default: 1}
  - {name: s, type: string}
  - {name: b, type: boolean}
  - {name: l, type: array}
  - {name: o, type: object}
  - {name: x}
`;

/** A flow whose task \`t\` computes an expression, after a map, a full response, and more. */
function flowOf(expression: string): string {
  const list = [
    "{id: squares, type: map, parameters: {items: [1, 2], task: {type: noop}}}",
    "{id: both, type: parallel, parameters: {tasks: [{type: noop}]}}",
    "{id: call, type: http, parameters: {url: 'http://x', full_response: true}}",
    "{id: fetch, type: http, parameters: {url: 'http://x'}}",
    "{id: ask, type: approval}",
    "{id: sums, type: transform, parameters: {output: {total: '${n + 1}', name: 'a ${n}'}}}",
    `{id: t, type: transform, depends_on: [squares, both, call, fetch, ask, sums], parameters: {output: ${JSON.stringify(`\${${expression}}`)}}}`,
  ];
  return VARIABLES + tasks(...list);
}

const HEAD = "workflow.tasks[6].parameters.output: ";

describe("what is certain to fail is a warning", () => {
  it.each([
    ["n < '50'", '"<" between a number and text'],
    ["s > 5", '">" between text and a number'],
    ["n == '50'", '"==" compares a number with text: always false'],
    ["s != 5", '"!=" compares text with a number: always true'],
    ["s + 1", '"+" between text and a number'],
    ["n + b", '"+" between a number and a boolean'],
    ["l + 1", '"+" between a list and a number'],
    ["-s", '"-" before text'],
    ["!n", '"!" before a number'],
    ["s && b", '"&&" takes a boolean, not text'],
    ["n ? 1 : 2", '"?" takes a boolean, not a number'],
    ["i.x", '"x" is read from a number, which has no fields'],
    ["l.name", '"name" is read from a list, which has no fields'],
    ["l['a']", "a list is indexed by text"],
    ["o[0]", "an object is indexed by a number"],
    ["s[0]", "[…] reads from text"],
    ["'a' in s", '"in" looks into text'],
    ["n.map(y, y)", "map goes over a number"],
    ["n.contains('a')", "contains does not take a number, text"],
    ["size(n)", "size does not take a number"],
    ["s.startsWith(1)", "startsWith does not take text, a number"],
    ["call.output.stats", 'there is no "stats"; did you mean "status"?'],
    ["call.output.status == '200'", '"==" compares a number with text: always false'],
    ["ask.output.approved == 'yes'", '"==" compares a boolean with text: always false'],
    ["sums.output.total < 'a'", '"<" between a number and text'],
    ["sums.output.name > 1", '">" between text and a number'],
    ["l.exists(e, s > 5)", '">" between text and a number'],
    ["has(o.x) && s > 5", '">" between text and a number'],
    ["run.state == 1", '"==" compares text with a number: always false'],
    ["fetch.attempt > '1'", '">" between a number and text'],
  ])("%s", async (expression, message) => {
    expect(await linesOf(flowOf(expression))).toEqual([
      `EXPRESSION_TYPE_MISMATCH ${HEAD}\${${expression}}: ${message}`,
    ]);
  });
});

describe("the output of a group read as a list is a warning", () => {
  it.each([
    ["squares.output[0]", "indexes", "squares"],
    ["tasks.squares.output[0].x", "indexes", "squares"],
    ["both.output[i]", "indexes", "both"],
    ["size(squares.output)", "counts", "squares"],
    ["squares.output.map(e, e)", "loops over", "squares"],
    ["1 in squares.output", "looks into", "squares"],
  ])("%s", async (expression, verb, group) => {
    const [warning, ...others] = await warningsOf(flowOf(expression));
    expect(others).toEqual([]);
    expect(warning).toMatchObject({
      code: "GROUP_OUTPUT_MISREAD",
      line: 18,
      message: `\${${expression}}: the expression ${verb} the output of "${group}", which is an object with the list "outputs"`,
      cure: `read the list: ${group}.outputs`,
    });
  });
});

// False alarms are worse than silence.
test.each([
  "n < 50",
  "n < 50.5 && i < n",
  "x < '50'",
  "x[0].y.z + 1",
  "fetch.output.total < '5'",
  "s == null",
  "n == null || n > 1",
  "null == l",
  "s + string(n)",
  "l[0].name",
  "l[i] + 'a'",
  "o.x < '5'",
  "o['x']",
  "has(o.x) ? o.x : 'none'",
  "squares.outputs[0]",
  "squares.output.outputs[0]",
  "squares.output == null",
  "size(squares.outputs) > 0",
  "squares.outputs.map(e, e.x)[0]",
  "squares.outputs.filter(e, e > 1).size()",
  "call.output.body.anything[0]",
  "call.output.headers['x']",
  "ask.output.data.reason",
  "sums.output.total + 1",
  "{'a': 1}.a + 1",
  "{1: 'a'}[1]",
  "[1, 'a'][0] < 'b'",
  "[1, 2].exists(e, e > 1)",
  "l.all(e, e.x > '1')",
  "run.context.x > 1 && run.labels.y == 'z'",
  "timestamp('2026-01-01T00:00:00Z') - duration('1h') < timestamp(run.start_time)",
  "(b ? 1 : 's') == 's'",
  "dyn(n) == 's'",
  "1u + 2u",
  "i in l && s in o && 'k' in {'k': 1}",
  "s.split(',')[0].size() + size(s)",
  "strings.quote(s)",
  "type(n) == int",
  "fetch.error.type == 'NOT_FOUND'",
  "b && true || !b",
])("%s is no warning", async (expression) => {
  const text = flowOf(expression);
  // A function that this version does not have is a problem, not a warning.
  if (expression.startsWith("strings.")) return;
  expect(await linesOf(text)).toEqual([]);
});

test("the cure names the other side, and the place is the line of the expression", async () => {
  expect(await warningsOf(flowOf("n < '50'"))).toMatchObject([{ line: 18, cure: "write 50 without quotes" }]);
  expect(await warningsOf(flowOf("s + 1"))).toMatchObject([{ cure: "convert the other side: string(value)" }]);
});

test("a condition that gives no boolean and items that give no list are warnings", async () => {
  const text = `${VARIABLES}${tasks(
    "{id: c, type: condition, condition: '${n}', on_success: [m]}",
    "{id: m, type: map, parameters: {items: '${s}', task: {type: noop}}}",
    "{id: k, type: map, depends_on: [m], parameters: {items: '${m.output}', task: {type: noop}}}",
  )}`;
  expect(await linesOf(text)).toEqual([
    "EXPRESSION_TYPE_MISMATCH workflow.tasks[0].condition: ${n} gives a number; true or false is needed here",
    "EXPRESSION_TYPE_MISMATCH workflow.tasks[1].parameters.items: ${s} gives text; a list is needed here",
    "EXPRESSION_TYPE_MISMATCH workflow.tasks[2].parameters.items: ${m.output} gives an object; a list is needed here",
  ]);
});

test("elements of maps have the type of their list, in maps of maps too", async () => {
  const child = (expression: string) => `{type: transform, parameters: {output: '\${${expression}}'}}`;
  const flow = (expression: string) =>
    `${VARIABLES}${tasks(
      `{id: m, type: map, parameters: {items: '\${["a", "b"]}', task: {type: map, parameters: {items: '\${[1, 2]}', task: ${child(expression)}}}}}`,
      `{id: k, type: map, parameters: {items: '\${l}', task: ${child("item.x + index")}}}`,
    )}`;
  expect(await linesOf(flow("item + 1"))).toEqual([]);
  expect(await linesOf(flow('item + "a"'))).toEqual([
    'EXPRESSION_TYPE_MISMATCH workflow.tasks[0].parameters.task.parameters.task.parameters.output: ${item + "a"}: "+" between a number and text',
  ]);
});

test("a state that comes back has no type that could be wrong", async () => {
  const text = `id: f
workflow:
  states:
    - id: a
      task: {type: transform, parameters: {output: "\${a.attempt == 0 ? 1 : a.output + 1}"}}
      transitions: [{when: "\${a.output > 3}", to: b}, {to: a}]
    - {id: b, final: completed}
`;
  expect(await linesOf(text)).toEqual([]);
});

test.each([
  ["s.matches('[a-')", 'the pattern "[a-" does not compile'],
  ["matches(s, '(?<=a)b')", 'the pattern "(?<=a)b" does not compile'],
  ["l.exists(e, e.matches('*'))", 'the pattern "*" does not compile'],
])("%s is a warning", async (expression, message) => {
  const [warning] = await warningsOf(flowOf(expression));
  expect(warning).toMatchObject({ code: "PATTERN_INVALID", message: expect.stringContaining(message) });
});

test.each(["s.matches('^[a-z]+$')", "s.matches(x)", "s.matches('\\\\d{2}')", "s.matches('\"')"])(
  "%s is no warning",
  async (expression) => {
    expect(await linesOf(flowOf(expression))).toEqual([]);
  },
);
