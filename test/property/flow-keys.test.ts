/**
 * Every key of the flow format with values of every type. What the published JSON Schema refuses at a key, registration
 * refuses there, too, with a path that leads to it; and no value is a bug.
 */
import { readFileSync } from "node:fs";
import { Ajv } from "ajv";
import { expect, test } from "vitest";
import type { Json, JsonObject } from "../../src/base/json/json.ts";
import { validateFlow } from "../../src/flows/compile.ts";

interface Schema {
  readonly $ref?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly additionalProperties?: Schema | boolean;
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly allOf?: readonly Schema[];
}

const schema = JSON.parse(readFileSync("contracts/flow.schema.json", "utf8")) as Schema & {
  readonly definitions: Readonly<Record<string, Schema>>;
};
const ajv = new Ajv({ strict: false });
ajv.addSchema({ $id: "flow", definitions: schema.definitions });

const VALUES: readonly Json[] = [null, true, 0, -1, 1.5, 1e300, "", "x", "${", [], [1], ["x", "x"], {}, { x: 1 }];

/** Puts a value where a key is, in a document that is otherwise as it should be. */
type Build = (value: Json) => JsonObject;

const NOOP = { id: "t", type: "noop" };
const ofFlow = (more: JsonObject): JsonObject => ({ id: "f", workflow: { tasks: [NOOP] }, ...more });
const ofWorkflow = (more: JsonObject): JsonObject => ofFlow({ workflow: { tasks: [NOOP], ...more } });
const ofStates = (more: JsonObject): JsonObject =>
  ofFlow({ workflow: { initial: "s", states: { s: { final: "completed", ...more } } } });

const places: { readonly path: string; readonly schema: Schema; readonly build: Build }[] = [];

/** Notes the keys of an object, and those below them. */
function walk(given: Schema, path: string, build: Build, depth: number): void {
  const name = given.$ref?.split("/").at(-1);
  // Tasks and states are walked on their own.
  if (name !== undefined && (depth > 0 || name === "task")) return;
  const {
    properties = {},
    items,
    additionalProperties,
    anyOf = [],
    oneOf = [],
    allOf = [],
  } = name === undefined ? given : (schema.definitions[name] ?? {});
  for (const [key, value] of Object.entries(properties)) {
    const at = path === "" ? key : `${path}.${key}`;
    const inner: Build = (json) => build({ [key]: json });
    places.push({ path: at, schema: value, build: inner });
    walk(value, at, inner, depth + 1);
  }
  if (items !== undefined) {
    const inner: Build = (json) => build([json] as unknown as JsonObject);
    places.push({ path: `${path}[0]`, schema: items, build: inner });
    walk(items, `${path}[0]`, inner, depth + 1);
  }
  if (typeof additionalProperties === "object" && Object.keys(additionalProperties).length > 0) {
    const inner: Build = (json) => build({ some_key: json });
    places.push({ path: `${path}.some_key`, schema: additionalProperties, build: inner });
    walk(additionalProperties, `${path}.some_key`, inner, depth + 1);
  }
  for (const each of [...anyOf, ...oneOf, ...allOf]) walk(each, path, build, depth);
}

walk({ properties: schema.properties ?? {} }, "", (value) => ofFlow(value as JsonObject), 0);
const workflow = schema.properties?.["workflow"];
walk(workflow ?? {}, "workflow", (value) => ofWorkflow(value as JsonObject), 0);
walk(
  { $ref: "#/definitions/task" },
  "workflow.tasks[0]",
  (value) => ofWorkflow({ tasks: [{ ...NOOP, ...(value as JsonObject) }] }),
  0,
);
walk({ $ref: "#/definitions/state" }, "workflow.states.s", (value) => ofStates(value as JsonObject), 0);
for (const name of Object.keys(schema.definitions)) {
  const [, type] = /^parameters_(\w+)$/.exec(name) ?? [];
  if (type === undefined) continue;
  const build: Build = (value) => ofWorkflow({ tasks: [{ id: "t", type, parameters: value }] });
  walk({ $ref: `#/definitions/${name}` }, "workflow.tasks[0].parameters", build, 0);
}

test("the walk reaches every part of the format", () => {
  expect(places.length).toBeGreaterThan(150);
  const paths = places.map(({ path }) => path).join(" ");
  for (const path of ["workflow.budget.max_tokens", "workflow.recovery.idle_after", "retry_policy.non_retryable[0]"])
    expect(paths).toContain(path);
});

/** The schema of the place, on its own. */
function accepts(place: Schema): (value: Json) => boolean {
  const text = JSON.stringify(place).replaceAll('"#/definitions/', '"flow#/definitions/');
  const check = ajv.compile(JSON.parse(text));
  return (value) => check(value) === true;
}

test("what the schema refuses at a key, registration refuses there", () => {
  const missed: string[] = [];
  let refused = 0;
  for (const { path, schema: place, build } of places) {
    const fits = accepts(place);
    for (const value of VALUES) {
      const problems = validateFlow({ document: build(value) });
      if (fits(value)) continue;
      refused += 1;
      const isNamed = problems.some(({ field }) => field.startsWith(path) || path.startsWith(field));
      if (!isNamed) missed.push(`${path} = ${JSON.stringify(value)}: ${problems.map(({ field }) => field).join(", ")}`);
    }
  }
  expect(missed).toEqual([]);
  expect(refused).toBeGreaterThan(1_500);
});
