/** `--input`: converts what the user types to the JSON that the flow declares. */
import { type FieldViolation, fail } from "../../base/errors.ts";
import { isJsonObject, type Json, type JsonObject } from "../../base/json/json.ts";
import { parseJson } from "../../base/json/json-parse.ts";
import { isFitNumber } from "../../base/json/json-scan.ts";
import { type FlowVariable, FlowVariableTypeSchema } from "../../gen/orchestrator/v1/flow_pb.ts";
import { nameOf } from "../terminal/print.ts";
import { readText } from "./text-sources.ts";

export interface DeclaredVariable {
  readonly name: string;
  /** `string`, `integer`, `number`, `boolean`, `array`, `object` or `any`. */
  readonly type: string;
}

/** A variable as a service declares it. */
export function toDeclared({ name, type }: FlowVariable): DeclaredVariable {
  return { name, type: nameOf(FlowVariableTypeSchema, type).toLowerCase() };
}

/**
 * Input of a run from `--input` options: `name=value` sets one variable, `name=@file` reads its value from a file
 * (`@-`: standard input), `@file` alone reads the whole input from a JSON or YAML file. A value follows the declared
 * type of its variable; without a type it is JSON if it parses, otherwise text. `name=@@x` is the text `@x`. Later
 * options win. Errors: FLOW_INPUT_INVALID with every invalid value, FILE_UNREADABLE.
 */
export async function readInput(
  options: readonly string[],
  variables: readonly DeclaredVariable[],
  flowId: string,
): Promise<JsonObject> {
  const input = new Map<string, Json>();
  const violations: FieldViolation[] = [];
  for (const option of options) {
    if (option.startsWith("@")) {
      for (const [name, value] of Object.entries(await readWhole(option.slice(1)))) input.set(name, value);
      continue;
    }
    const equals = option.indexOf("=");
    if (equals < 1)
      fail("INVALID_REQUEST", { problem: `--input ${option}: write name=value, name=@file or @file`, field: "input" });
    const name = option.slice(0, equals);
    const given = option.slice(equals + 1);
    const fromFile = given.startsWith("@") && !given.startsWith("@@");
    const text = fromFile ? await readText(given.slice(1)) : given.replace(/^@@/, "@");
    const type = variables.find((variable) => variable.name === name)?.type ?? "any";
    const value = toValue(text, type, name);
    if (value === undefined)
      violations.push({ field: name, description: `expected ${EXPECTED[type]}, got ${quote(text)}` });
    else input.set(name, value);
  }
  const [first] = violations;
  if (first !== undefined)
    fail("FLOW_INPUT_INVALID", { flowId, problem: `${first.field}: ${first.description}` }, { violations });
  return Object.fromEntries(input);
}

/** A value without a declared type: `@file`, JSON, or text. Errors: FILE_UNREADABLE, INVALID_JSON. */
export async function readJsonText(given: string, field: string): Promise<Json> {
  const text =
    given.startsWith("@") && !given.startsWith("@@") ? await readText(given.slice(1)) : given.replace(/^@@/, "@");
  return readJsonOrText(text, field);
}

/** Description of each type, with an example. */
const EXPECTED: Readonly<Record<string, string>> = {
  integer: "a whole number such as 42, at most 9007199254740991",
  number: "a number such as 0.5 that a double can hold",
  boolean: "true or false",
  array: 'a JSON list such as ["a", "b"]',
  object: 'a JSON object such as {"a": 1}',
};

/** Converts text to a type; undefined if it does not fit. */
function toValue(text: string, type: string, name: string): Json | undefined {
  switch (type) {
    case "string":
      return text;
    case "integer":
      return /^[+-]?\d+$/.test(text.trim()) ? toNumber(text.trim()) : undefined;
    case "number":
      return /^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?$/.test(text.trim()) ? toNumber(text.trim()) : undefined;
    case "boolean":
      return { true: true, false: false }[text.trim()];
    case "array":
    case "object": {
      const value = readJson(text, name);
      const isFit = type === "array" ? Array.isArray(value) : isJsonObject(value);
      return isFit ? value : undefined;
    }
    default:
      return readJsonOrText(text, name);
  }
}

/**
 * Converts text to a number; undefined if a double cannot represent it: a run must not work on a different id from the
 * one typed.
 */
function toNumber(text: string): number | undefined {
  return isFitNumber(text.replace(/^\+/, "")) ? Number(text) : undefined;
}

/** Reads text without a declared type. */
function readJsonOrText(text: string, field: string): Json {
  const value = readJson(text, field);
  // null is JSON too.
  return value === undefined ? text : value;
}

/**
 * Parses JSON; undefined if the text is not JSON. Throws INVALID_JSON for JSON that requests must not contain (NUL,
 * duplicate keys).
 */
function readJson(text: string, field: string): Json | undefined {
  try {
    JSON.parse(text);
  } catch {
    // Text that is not JSON stays text.
    return undefined;
  }
  return parseJson(text, { field });
}

async function readWhole(path: string): Promise<JsonObject> {
  const text = await readText(path);
  const { parseFlowSource } = await import("../../flows/document/parse.ts");
  const value = /\.ya?ml$/.test(path) ? parseFlowSource(text).value : parseJson(text, { field: path });
  if (!isJsonObject(value)) fail("INVALID_JSON", { field: path, problem: "an object of variables was expected" });
  return value;
}

function quote(text: string): string {
  const shown = JSON.stringify(text);
  return shown.length > 60 ? `${shown.slice(0, 57)}…` : shown;
}
