/**
 * A false alarm is worse than silence: flows that run well have no warnings, and an expression that gives a value is
 * not said to fail.
 */
import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { isOrchestratorError } from "../../../../src/base/errors.ts";
import type { Json, JsonObject } from "../../../../src/base/json/json.ts";
import { judgeFlow } from "../../../../src/flows/compile.ts";
import { compileExpression } from "../../../../src/flows/interpolation/expression.ts";
import { TASK_TYPES, WRITABLE_TASK_TYPES } from "../../../../src/tasks/index.ts";
import { generateNativeDag, generateNativeFsm } from "../../../oracle/generate-native.ts";
import { generateWide } from "../../../oracle/generate-wide.ts";
import { createRandom } from "../../../oracle/random.ts";
import { tasks, warningsOf } from "./judge.ts";

test("no flow of the examples, templates, documents and clients has a warning", async () => {
  const files = ["examples", "examples/demo", "examples/graphs", "templates", "test/clients"].flatMap((folder) =>
    readdirSync(folder)
      .filter((name) => name.endsWith(".yaml"))
      .map((name) => `${folder}/${name}`),
  );
  const blocks = ["README.md", "docs/flows.md", "docs/semantics.md", "docs/how-to/graph-flows.md"].flatMap((path) =>
    [...readFileSync(path, "utf8").matchAll(/```yaml\n(id: [\s\S]*?)```/g)].map(([, text = ""]) => text),
  );
  const examples = WRITABLE_TASK_TYPES.map((type) => {
    const variables = [
      ...new Set([...TASK_TYPES[type].example.matchAll(/vars\.(\w+)/g)].map(([, name]) => `{name: ${name}}`)),
    ];
    const after = ["publish", "rework", "second"].map((id) => `    - {id: ${id}, type: noop}\n`).join("");
    const example = TASK_TYPES[type].example.trimEnd().replaceAll("\n", "\n      ");
    return `variables: [${variables.join(", ")}]\n${tasks(example)}${after}`;
  });
  const sources = [...files.map((path) => readFileSync(path, "utf8")), ...blocks, ...examples];
  expect(sources.length).toBeGreaterThan(20);
  let judged = 0;
  for (const text of sources) {
    const { problems, warnings } = await judgeFlow({ text });
    if (problems.length === 0) judged++;
    expect(warnings, text).toEqual([]);
  }
  expect(judged).toBeGreaterThan(15);
}, 60_000);

/**
 * What wide flows get wrong: targets of one side, error types of their own, items and conditions of another type, `n`
 * of outputs that have none, and keys that change nothing where they stand.
 */
const ON_PURPOSE =
  /^TARGET_NEVER_RUNS|^KEY_WITHOUT_EFFECT|^COMPENSATES_NOTHING|type "E\d"|a list is needed|gives a number; true or false|: there is no "n"$/;

test("no flow that the oracles play has a warning, but for what they get wrong on purpose", async () => {
  const judge = async (flow: unknown): Promise<readonly string[]> => {
    const { problems, warnings } = await judgeFlow({ document: flow as JsonObject });
    expect(problems).toEqual([]);
    return warnings.map(({ code, message }) => `${code}: ${message}`);
  };
  for (let seed = 1; seed <= 25; seed++) {
    expect(await judge(generateNativeDag(seed).flow), `native DAG ${seed}`).toEqual([]);
    expect(await judge(generateNativeFsm(seed).flow), `native FSM ${seed}`).toEqual([]);
    const wide = await judge(generateWide(seed).flow);
    expect(
      wide.filter((line) => !ON_PURPOSE.test(line)),
      `wide ${seed}`,
    ).toEqual([]);
  }
}, 60_000);

const VALUES: Readonly<Record<string, readonly Json[]>> = {
  n: [0, 1.5, -3],
  i: [0, 1, 7],
  s: ["", "abc", "7"],
  b: [true, false],
  l: [[], [1], ["a", "b"]],
  o: [{}, { k: 1, a: "x" }],
  x: [null, 1, "a", [1], { a: 1 }],
};
const TYPES = { n: "number", i: "integer", s: "string", b: "boolean", l: "array", o: "object", x: "any" };

test("an expression that gives a value is not said to fail, and what is said to be always so is so", async () => {
  const random = createRandom(7);
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random.next() * list.length)] as T;
  const build = (depth: number): string => {
    if (depth === 0 || random.chance(0.2))
      return pick([
        "n",
        "i",
        "s",
        "b",
        "l",
        "o",
        "x",
        "1",
        "2.5",
        "'a'",
        "'7'",
        "true",
        "[1, 2]",
        "{'k': 1}",
        "o.k",
        "x.a",
        "t.output",
        "t.output.total",
        "t.output.name",
      ]);
    const [a, c] = [build(depth - 1), build(depth - 1)];
    const sign = pick(["+", "-", "*", "<", ">=", "==", "!=", "in"]);
    return pick([
      `(${a} ${sign} ${c})`,
      `(${a} ${sign} ${c})`,
      `size(${a})`,
      `string(${a})`,
      `int(${a})`,
      `(${a})[${c}]`,
      `(${a}).contains(${c})`,
      `(${a}).map(e, e)`,
      `(${a}).exists(e, e == ${c})`,
      `[${a}, ${c}]`,
      `{'p': ${a}}.p`,
      `-(${a})`,
      `!(${a})`,
    ]);
  };
  const variables = Object.entries(TYPES).map(([name, type]) => ({ name, type }));
  const names = { variables: new Set(Object.keys(TYPES)), tasks: new Set(["t", "u"]) };
  let warned = 0;
  for (let round = 0; round < 400; round++) {
    const expression = build(1 + Math.floor(random.next() * 3));
    const output = { total: "${n + 1}", name: "a ${n}" };
    const document = {
      id: "f",
      variables,
      workflow: {
        tasks: [
          { id: "t", type: "transform", parameters: { output } },
          { id: "u", type: "transform", depends_on: ["t"], parameters: { output: `\${${expression}}` } },
        ],
      },
    };
    const { problems, warnings } = await judgeFlow({ document: document as unknown as JsonObject });
    if (problems.length > 0 || warnings.length === 0) continue;
    warned++;
    const compiled = compileExpression(expression, { ...names });
    if ("problems" in compiled) continue;
    for (let world = 0; world < 12; world++) {
      const vars = Object.fromEntries(Object.entries(VALUES).map(([name, values]) => [name, pick(values)]));
      const done = {
        output: { total: (vars["n"] as number) + 1, name: `a ${vars["n"]}` },
        state: "COMPLETED",
        error: null,
        attempt: 1,
      };
      try {
        const value = compiled.evaluate({ vars, run: {}, task: () => done });
        const [first] = warnings;
        const isAlways = warnings.every(({ message }) => message.includes("always"));
        expect(
          isAlways
            ? ""
            : `${expression} gives ${JSON.stringify(value)} with ${JSON.stringify(vars)}; said: ${first?.message}`,
        ).toBe("");
      } catch (error) {
        if (!isOrchestratorError(error)) throw error;
      }
    }
  }
  expect(warned).toBeGreaterThan(60);
}, 60_000);

test("a thousand tasks that read each other are judged without deep recursion", async () => {
  const chain = Array.from({ length: 1_000 }, (_, at) =>
    at === 0
      ? "{id: t0, type: transform, parameters: {output: 1}}"
      : `{id: t${at}, type: transform, depends_on: [t${at - 1}], parameters: {output: '\${t${at - 1}.output + 1}'}}`,
  ).reverse();
  expect(await warningsOf(tasks(...chain))).toEqual([]);
}, 60_000);
