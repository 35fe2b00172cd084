/**
 * Validates callers' values against authors' JSON Schemas (ADR 0025). The library interprets schemas and generates no
 * code. Neither a schema nor its patterns limit how long a check takes, so the check runs under a time limit that also
 * stops regular expressions.
 */
import { createContext, Script } from "node:vm";
import { type OutputUnit, type Schema, Validator } from "@cfworker/json-schema";
import { z } from "zod";
import { type FieldViolation, fail } from "../../base/errors.ts";
import type { Json, JsonObject } from "../../base/json/json.ts";
import { formatPath } from "./format-path.ts";
import { DIALECTS, findSchemaProblems } from "./schema-keywords.ts";

/** Maximum CPU time of one check, milliseconds. Sensible schemas take microseconds. */
const MAX_CHECK_MS = 100;
/** Maximum elapsed time of one check on a machine that is busy with other work, milliseconds. */
const MAX_STALL_MS = 1_000;

/** Maximum number of violations that are reported. */
const MAX_VIOLATIONS = 20;

/** A JSON Schema in a flow, as declared with zod: its problems are issues at their paths. */
export const jsonSchema = z.record(z.string(), z.unknown()).superRefine((schema, context) => {
  for (const { path, description } of findSchemaProblems(schema as Json))
    context.addIssue({ code: "custom", path: [...path], message: description });
}) as unknown as z.ZodType<JsonObject>;

/**
 * Returns the violations of `schema` in `value`; paths begin with `root`. The schema must have no problems
 * (`findSchemaProblems`). Error: SCHEMA_TOO_COSTLY if the check takes too long.
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

/** Where a value breaks a schema, and which keyword it breaks. It has no part of the value. */
export interface SchemaBreach {
  /** As an expression writes it; empty: the value itself. */
  readonly place: string;
  /** `false`: nothing is allowed there. */
  readonly keyword: string;
}

/** The first breach of `schema` in `value`; null: there is none. Errors as {@link checkAgainstSchema}. */
export function findBreach(schema: JsonObject, value: Json): SchemaBreach | null {
  const { errors } = validate(validatorOf(schema), value);
  const unit = errors.find(({ keyword }) => !AROUND.has(keyword)) ?? errors[0];
  return unit === undefined ? null : { place: toViolation(unit, "").field.replace(/^\./, ""), keyword: unit.keyword };
}

/** Throws INVALID_REQUEST with every violation of `schema` in `value`, or SCHEMA_TOO_COSTLY. */
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
    // The library modifies the schema that it gets.
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
    // The recursion is too deep.
    if (error instanceof RangeError) fail("SCHEMA_TOO_COSTLY", { limitMs: MAX_CHECK_MS }, { cause: error });
    throw error;
  } finally {
    context["work"] = null;
  }
}

/**
 * Returns the result of the check, or null if it was stopped before it had used its CPU time: `node:vm` limits elapsed
 * time, and a busy machine may not have scheduled this thread. Error: SCHEMA_TOO_COSTLY.
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

/** The library tests `name in object`, which finds `constructor` in every object that has a prototype. */
function withoutPrototypes(value: Json): Json {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(withoutPrototypes);
  const plain = Object.create(null) as Record<string, Json>;
  for (const [name, inner] of Object.entries(value)) plain[name] = withoutPrototypes(inner as Json);
  return plain as JsonObject;
}

/** Keywords whose violation only says that a nested value has a violation. */
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

/** Rewords the library's message in the style of the other violations. */
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
