import { describe, expect, test } from "vitest";
import type { Json, JsonObject } from "../../../../src/base/json/json.ts";
import { checkAgainstSchema } from "../../../../src/tasks/schema/json-schema.ts";
import { findSchemaProblems } from "../../../../src/tasks/schema/schema-keywords.ts";

const problemsOf = (schema: Json) =>
  findSchemaProblems(schema).map(({ path, description }) => `${path.join(".")}: ${description}`);
const violationsOf = (schema: JsonObject, value: Json) =>
  checkAgainstSchema(schema, value, "data").map(({ field, description }) => `${field}: ${description}`);

describe("schemas of authors", () => {
  test.each<[Json, RegExp]>([
    [{ requird: ["a"] }, /^requird: .*did you mean "required"/],
    [{ type: "int" }, /^type: expected a type/],
    [{ properties: { a: { minimum: "1" } } }, /^properties\.a\.minimum: expected a number/],
    [{ multipleOf: 0 }, /above 0/],
    [{ pattern: "(" }, /^pattern: the pattern cannot be read/],
    [{ patternProperties: { "[": true } }, /cannot be read/],
    [{ $ref: "https://example.com/schema.json" }, /nothing is fetched/],
    [{ $ref: "other.json#/a" }, /nothing is fetched/],
    [{ $id: "https://example.com/" }, /\$id/],
    [{ $ref: "#/$defs/none" }, /there is no schema at/],
    [{ $ref: "#" }, /refers back to itself/],
    [{ $defs: { a: { allOf: [{ $ref: "#/$defs/b" }] }, b: { $ref: "#/$defs/a" } } }, /refers back to itself/],
    [{ $schema: "http://json-schema.org/draft-03/schema#" }, /2020-12/],
    [{ __absolute_ref__: "#" }, /not a supported keyword/],
    [{ anyOf: [] }, /expected a list of schemas/],
    [{ properties: Object.fromEntries(Array.from({ length: 2_001 }, (_, n) => [`p${n}`, true])) }, /more than 2000/],
    [Array.from({ length: 40 }).reduce<Json>((inner) => ({ items: inner }), true), /more than 32 deep/],
    ["text", /expected a JSON Schema/],
  ])("%j has a problem", (schema, problem) => {
    expect(problemsOf(schema).join("\n")).toMatch(problem);
  });

  test.each<Json>([
    { $schema: "https://json-schema.org/draft/2020-12/schema", type: ["object", "null"], "x-order": ["a"] },
    {
      properties: { next: { $ref: "#" }, "a/b": { $ref: "#/properties/a~1b/items" }, "a b": { $ref: "#/$defs/a%20b" } },
      $defs: { "a b": true },
    },
    { type: "object", properties: { type: { type: "string" } }, required: ["type"], additionalProperties: false },
  ])("%j is taken", (schema) => {
    // The second one refers to a place that is no schema of it.
    expect(problemsOf(schema).filter((line) => !line.includes("a~1b/items"))).toEqual([]);
  });
});

describe("values", () => {
  test.each<[JsonObject, Json, readonly string[]]>([
    [{ type: "object", required: ["a", "b"] }, { a: 1 }, ["data.b: is required"]],
    // The library asks `name in object`.
    [{ required: ["constructor", "toString"] }, {}, ["data.constructor: is required", "data.toString: is required"]],
    [{ properties: { constructor: { type: "string" } } }, {}, []],
    [{ additionalProperties: false, properties: { a: true } }, { a: 1, b: 2 }, ["data.b: is not allowed"]],
    [
      { properties: { a: { items: { type: "integer" } } } },
      { a: [1, "x", 2.5] },
      ["data.a[1]: expected integer, got string", "data.a[2]: expected integer, got number"],
    ],
    [{ type: ["string", "null"] }, 1, ["data: expected string or null, got number"]],
    [{ properties: { "a/b": { const: 1 } } }, { "a/b": 2 }, ['data["a/b"]: expected 1']],
    [{ properties: { a: { enum: [1, "x"] } } }, { a: 3 }, ['data.a: expected any of [1,"x"]']],
    [{ $ref: "#/$defs/n", $defs: { n: { minimum: 3 } } }, 1, ["data: 1 is less than 3"]],
    [
      { $schema: "http://json-schema.org/draft-07/schema#", items: [{ type: "string" }] },
      [1],
      ["data[0]: expected string, got number"],
    ],
    [
      { properties: { child: { $ref: "#" }, n: { type: "integer" } } },
      { child: { child: { n: "x" } } },
      ["data.child.child.n: expected integer, got string"],
    ],
  ])("%j of %j: %j", (schema, value, violations) => {
    expect(violationsOf(schema, value)).toEqual(violations);
  });

  // Cause: a pattern of an author that backtracks would stop the loop that serves everybody.
  test("a check that takes too long ends, in a pattern and in references that double", () => {
    const slow = { pattern: "^(a+)+$" };
    const doubling: Record<string, Json> = { d0: { type: "string" } };
    for (let level = 1; level <= 30; level += 1)
      doubling[`d${level}`] = { anyOf: [{ $ref: `#/$defs/d${level - 1}` }, { $ref: `#/$defs/d${level - 1}` }] };
    for (const [schema, value] of [
      [slow, `${"a".repeat(40)}!`],
      [{ $ref: "#/$defs/d30", $defs: doubling }, 1],
    ] as [JsonObject, Json][]) {
      expect(findSchemaProblems(schema)).toEqual([]);
      const startedAt = performance.now();
      expect(() => checkAgainstSchema(schema, value, "data")).toThrow(/took longer than 100 ms/);
      expect(performance.now() - startedAt).toBeLessThan(2_000);
    }
  });
});
