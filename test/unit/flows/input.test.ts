import { describe, expect, it } from "vitest";
import { isOrchestratorError } from "../../../src/base/errors.ts";
import type { JsonObject } from "../../../src/base/json/json.ts";
import { ALL_SERVED } from "../../../src/flows/check/unserved.ts";
import { compileFlow } from "../../../src/flows/compile.ts";
import { checkInput, runLimit } from "../../../src/flows/input.ts";

const { plan } = await compileFlow({
  document: {
    id: "f",
    variables: [
      { name: "id", type: "string", required: true, description: "Invoice" },
      { name: "count", type: "integer", default: 3 },
      { name: "rate", type: "number" },
      { name: "mode", type: "string", enum: ["a", "b"], default: "a" },
      { name: "tags", type: "array", default: [] },
      { name: "any" },
      { name: "needed", type: "string", required: true, default: "there" },
    ],
    workflow: {
      variables: { double: "${count * 2}", count: "${count}", text: "${id}/${mode}" },
      tasks: [{ id: "t", type: "noop", parameters: { output: "${double}" } }],
    },
  },
});

function violations(input: JsonObject): readonly string[] {
  try {
    checkInput(plan, input, 0);
  } catch (error) {
    if (isOrchestratorError(error) && error.code === "FLOW_INPUT_INVALID")
      return error.violations.map(({ field, description }) => `${field}: ${description}`);
    throw error;
  }
  return [];
}

describe("checkInput", () => {
  // Cause: every unknown name was compared with every variable and listed; 180,000 of them took 7 s and an answer of 9
  // MB.
  it("reports the first unknown names and counts the others", () => {
    const many = Object.fromEntries(Array.from({ length: 100_000 }, (_, index) => [`k${index}`, 0]));
    const found = violations({ id: "i-1", ...many });
    expect(found).toHaveLength(51);
    expect(found.at(-1)).toBe("k50: and 99950 more names that are not variables of the flow");
  });

  it("fills in defaults, null for what is absent, and computes the other variables", () => {
    expect(checkInput(plan, { id: "i-1" }, 0)).toEqual({
      id: "i-1",
      count: 3,
      rate: null,
      mode: "a",
      tags: [],
      any: null,
      needed: "there",
      double: 6,
      text: "i-1/a",
    });
    expect(
      checkInput(plan, { id: "x", count: 5, rate: 1.5, mode: "b", any: { deep: [1] }, tags: ["t"] }, 0),
    ).toMatchObject({ double: 10, rate: 1.5, text: "x/b", any: { deep: [1] } });
  });

  it("takes null for what is not required", () => {
    expect(checkInput(plan, { id: "x", rate: null, mode: null }, 0)).toMatchObject({ rate: null, mode: null });
  });

  it("reports every violation at once", () => {
    expect(violations({ count: 1.5, rate: "fast", mode: "c", tags: {}, idd: 1 })).toEqual([
      "id: is required: a value of type string (Invoice)",
      "count: expected a value of type integer, got the number 1.5",
      'rate: expected a value of type number, got the string "fast"',
      'mode: expected one of "a", "b", got the string "c"',
      "tags: expected a value of type array, got an object",
      'idd: the flow has no variable "idd"; did you mean "id"?',
    ]);
    expect(violations({ id: null })).toEqual(["id: expected a value of type string, got null"]);
    expect(violations({ id: "x", coutn: 1 })).toEqual([
      'coutn: the flow has no variable "coutn"; did you mean "count"?',
    ]);
  });

  it("refuses computed variables as input, and prototypes", () => {
    expect(violations({ id: "x", double: 1 })).toHaveLength(1);
    expect(violations(JSON.parse('{"id": "x", "__proto__": {"count": 9}}') as JsonObject)).toHaveLength(1);
    expect(violations({ id: "x", constructor: 1, toString: "y" } as unknown as JsonObject)).toHaveLength(2);
  });
});

it("a version that names a limit of the service, from before that was refused, starts no runs", async () => {
  const workflow = { limit: { name: "orchestrator.dev/goals", max_concurrent: 1 }, tasks: [{ id: "t", type: "noop" }] };
  const older = await compileFlow({ document: { id: "f", workflow } }, undefined, { ...ALL_SERVED, reservedIds: true });
  expect(() => runLimit(older.plan, {}, 0)).toThrow(/workflow\.limit\.name: limits whose names begin with/);
});
