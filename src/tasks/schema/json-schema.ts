/**
 * Checks values of callers against JSON Schemas of authors (ADR 0025). The library interprets schemas, it makes no code
 * of them. Neither a schema nor a pattern in it bounds how long a check takes, so the check runs under a time limit
 * that also ends regular expressions.
 */
import { createContext, Script } from "node:vm";
import { type OutputUnit, type Schema, Validator } from "@cfworker/json-schema";
import { z } from "zod";
import { type FieldViolation, fail } from "../../base/errors.ts";
import type { Json, JsonObject } from "../../base/json/json.ts";
import { formatPath } from "./format-path.ts";
import { DIALECTS, findSchemaProblems } from "./schema-keywords.ts";

/** Most processor time of one check, milliseconds. Sensible schemas take microseconds. */
const MAX_CHECK_MS = 100;
/** Most elapsed time of one check on a machine that is busy with other work, milliseconds. */
const MAX_STALL_MS = 1_000;

/** Most violations that are told. */
const MAX_VIOLATIONS = 20;

/** A JSON Schema in a flow, as declared by zod: its problems are issues at their paths. */
export const jsonSchema = z.record(z.string(), z.unknown()).superRefine((schema, context) => {
  for (const { path, description } of findSchemaProblems(schema as Json))
    context.addIssue({ code: "custom", path: [...path], message: description });
}) as unknown as z.ZodType<JsonObject>;

/**
 * What of `value` does not meet `schema`; paths begin with `root`. The schema has no problems (`findSchemaProblems`).
 * Error: SCHEMA_TOO_COSTLY when the check takes too long.
 */
export function checkAgainstSchema(schema: JsonObject, value: Json, root: string): readonly FieldViolation[] {
  const { errors } = validate(validatorOf(schema), value);
  const telling = errors.filter(({ keyword }) => !AROUND.has(keyword));
  const told = telling.length > 0 ? telling : errors;
  const violations = told.map((unit) => toViolation(unit, root));
  const seen = new Set<string>();
  return violations
    .filter(({ field, description }) => {
      const key = `${field}: ${description}`;
      return !seen.has(key) && seen.add(key);
    })
    .slice(0, MAX_VIOLATIONS);
}

/** Error INVALID_REQUEST with every violation of `schema` in `value`; SCHEMA_TOO_COSTLY. */
export function checkData(schema: JsonObject, value: Json, root: string): void {
  const violations = checkAgainstSchema(schema, value, root);
  const [first] = violations;
  if (first === undefined) return;
  const more = violations.length > 1 ? ` (and ${violations.length - 1} more)` : "";
  const problem = `${first.field}: ${first.description}${more}`;
  fail("INVALID_REQUEST", { problem, field: first.field }, { violations });
}

const validators = new WeakMap<JsonObject, Validator>();

function validatorOf(schema: JsonObject): Validator {
  let validator = validators.get(schema);
  if (validator === undefined) {
    const dialect = String(schema["$schema"] ?? "").replace(/#$/, "");
    const draft = DIALECTS[dialect as keyof typeof DIALECTS] ?? "2020-12";
    // The library writes into the schema that it gets.
    validator = new Validator(structuredClone(schema) as Schema, draft, false);
    validators.set(schema, validator);
  }
  return validator;
}

const context = createContext({ work: null as (() => unknown) | null });
const run = new Script("work()");

function validate(validator: Validator, value: Json): { readonly errors: readonly OutputUnit[] } {
  const plain = withoutPrototypes(value);
  context["work"] = () => validator.validate(plain);
  try {
    return runWithin(MAX_CHECK_MS) ?? runWithin(MAX_STALL_MS) ?? fail("SCHEMA_TOO_COSTLY", { limitMs: MAX_CHECK_MS });
  } catch (error) {
    // Recursion that is too deep.
    if (error instanceof RangeError) fail("SCHEMA_TOO_COSTLY", { limitMs: MAX_CHECK_MS }, { cause: error });
    throw error;
  } finally {
    context["work"] = null;
  }
}

/**
 * The result of the check, or null when it was cut off although it had less processor time than it may take: `node:vm`
 * limits elapsed time, and a busy machine may not have let this thread run. Error: SCHEMA_TOO_COSTLY.
 */
function runWithin(elapsedMs: number): { readonly errors: readonly OutputUnit[] } | null {
  const before = process.threadCpuUsage();
  try {
    return run.runInContext(context, { timeout: elapsedMs });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ERR_SCRIPT_EXECUTION_TIMEOUT") throw error;
    const { user, system } = process.threadCpuUsage(before);
    if ((user + system) / 1_000 < MAX_CHECK_MS) return null;
    return fail("SCHEMA_TOO_COSTLY", { limitMs: MAX_CHECK_MS }, { cause: error });
  }
}

/** The library asks `name in object`, to which `constructor` is in every object with a prototype. */
function withoutPrototypes(value: Json): Json {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(withoutPrototypes);
  const plain = Object.create(null) as Record<string, Json>;
  for (const [name, inner] of Object.entries(value)) plain[name] = withoutPrototypes(inner as Json);
  return plain as JsonObject;
}

/** Keywords whose violation only says that something further in is violated. */
const AROUND: ReadonlySet<string> = new Set([
  ...["$ref", "allOf", "if", "properties", "patternProperties", "additionalProperties", "unevaluatedProperties"],
  ...["dependentSchemas", "items", "prefixItems", "additionalItems", "unevaluatedItems"],
]);

function toViolation({ keyword, instanceLocation, error }: OutputUnit, root: string): FieldViolation {
  const path: (string | number)[] = instanceLocation
    .split("/")
    .slice(1)
    .map((part) => decodeURIComponent(part).replaceAll("~1", "/").replaceAll("~0", "~"))
    .map((part) => (/^(0|[1-9]\d*)$/.test(part) ? Number(part) : part));
  if (keyword === "required") {
    const missing = /property "(.*)"\.$/s.exec(error)?.[1];
    if (missing !== undefined) return { field: below(root, [...path, missing]), description: "is required" };
  }
  return { field: below(root, path), description: describe(keyword, error) };
}

function below(root: string, path: readonly (string | number)[]): string {
  const text = formatPath(path);
  return text === "" || text.startsWith("[") ? root + text : `${root}.${text}`;
}

/** The sentence of the library in the words of the other violations. */
function describe(keyword: string, error: string): string {
  switch (keyword) {
    case "false":
      return "is not allowed";
    case "type":
      return error
        .replace(/^Instance type "(\w+)" is invalid\. Expected "(.*)"\.$/, "expected $2, got $1")
        .replaceAll('", "', " or ");
    case "const":
    case "enum":
      return error.replace(/^Instance does not match (any of )?/, "expected $1").replace(/\.$/, "");
    default: {
      const text = error.replace(/^Instance /, "the value ").replace(/\.$/, "");
      return text.charAt(0).toLowerCase() + text.slice(1);
    }
  }
}
