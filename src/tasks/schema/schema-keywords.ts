/**
 * Restricts the JSON Schemas that authors may write: every keyword is known and well-formed, nothing refers outside the
 * schema, and the schema is small. A keyword that no validator supports would be a rule that nobody enforces, so it is
 * refused.
 */
import { isJsonObject, type Json, type JsonObject } from "../../base/json/json.ts";
import { suggest } from "./suggest.ts";

/** A problem in a schema, with its path from the root. */
export interface SchemaProblem {
  readonly path: readonly (string | number)[];
  readonly description: string;
}

/** Maximum number of schemas in one schema, itself included. */
const MAX_SCHEMAS = 2_000;

/** Maximum nesting depth of schemas. */
const MAX_DEPTH = 32;

/** Maximum number of problems that are reported. */
const MAX_PROBLEMS = 20;

type Shape =
  | "schema"
  | "schemas"
  | "schemaMap"
  | "patternMap"
  | "items"
  | "number"
  | "count"
  | "texts"
  | "textsMap"
  | "text"
  | "pattern"
  | "flag"
  | "list"
  | "types"
  | "ref"
  | "dialect"
  | "any";

const KEYWORDS: Readonly<Record<string, Shape>> = {
  $schema: "dialect",
  $ref: "ref",
  $defs: "schemaMap",
  definitions: "schemaMap",
  $comment: "text",
  title: "text",
  description: "text",
  default: "any",
  example: "any",
  examples: "any",
  readOnly: "flag",
  writeOnly: "flag",
  deprecated: "flag",
  type: "types",
  enum: "list",
  const: "any",
  format: "text",
  minimum: "number",
  maximum: "number",
  exclusiveMinimum: "number",
  exclusiveMaximum: "number",
  multipleOf: "number",
  minLength: "count",
  maxLength: "count",
  pattern: "pattern",
  minItems: "count",
  maxItems: "count",
  uniqueItems: "flag",
  items: "items",
  prefixItems: "schemas",
  additionalItems: "schema",
  contains: "schema",
  minContains: "count",
  maxContains: "count",
  minProperties: "count",
  maxProperties: "count",
  required: "texts",
  properties: "schemaMap",
  patternProperties: "patternMap",
  additionalProperties: "schema",
  propertyNames: "schema",
  dependentRequired: "textsMap",
  dependentSchemas: "schemaMap",
  unevaluatedItems: "schema",
  unevaluatedProperties: "schema",
  allOf: "schemas",
  anyOf: "schemas",
  oneOf: "schemas",
  not: "schema",
  if: "schema",
  // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
  then: "schema",
  else: "schema",
};

const TYPES = ["null", "boolean", "integer", "number", "string", "array", "object"];

/** Dialects, by the value of `$schema`. */
export const DIALECTS = {
  "https://json-schema.org/draft/2020-12/schema": "2020-12",
  "https://json-schema.org/draft/2019-09/schema": "2019-09",
  "http://json-schema.org/draft-07/schema": "7",
} as const;

/** Returns the problems of a schema; none if it is usable. */
export function findSchemaProblems(schema: Json): readonly SchemaProblem[] {
  const walk = new Walk();
  walk.schema(schema, [], 0);
  if (walk.problems.length === 0) walk.checkRefs(schema);
  return walk.problems.slice(0, MAX_PROBLEMS);
}

type Path = readonly (string | number)[];

class Walk {
  readonly problems: SchemaProblem[] = [];
  readonly #places = new Set<string>();
  readonly #refs: { readonly path: Path; readonly ref: string }[] = [];

  add(path: Path, description: string): void {
    if (this.problems.length < MAX_PROBLEMS) this.problems.push({ path, description });
  }

  schema(value: Json, path: Path, depth: number): void {
    if (depth > MAX_DEPTH) {
      this.add(path, `schemas are nested more than ${MAX_DEPTH} deep`);
      return;
    }
    this.#places.add(toPointer(path));
    if (this.#places.size > MAX_SCHEMAS) {
      if (this.#places.size === MAX_SCHEMAS + 1) this.add(path, `it contains more than ${MAX_SCHEMAS} schemas`);
      return;
    }
    if (typeof value === "boolean") return;
    if (!isJsonObject(value)) {
      this.add(path, "expected a JSON Schema: an object, true, or false");
      return;
    }
    for (const [key, inner] of Object.entries(value)) {
      const shape = Object.hasOwn(KEYWORDS, key) ? KEYWORDS[key] : undefined;
      if (shape !== undefined) this.#keyword(shape, inner, [...path, key], depth);
      else if (!key.startsWith("x-"))
        this.add(
          [...path, key],
          `"${key}" is not a supported keyword of JSON Schema${suggest(key, Object.keys(KEYWORDS))}; annotations of your own begin with x-`,
        );
    }
  }

  /** Checks that every reference points to a schema in the same document. */
  checkRefs(root: Json): void {
    for (const { path, ref } of this.#refs) {
      if (!this.#places.has(ref.slice(1))) this.add(path, `there is no schema at ${ref}`);
    }
    if (this.problems.length === 0) this.#checkCycles(root);
  }

  /** Refuses references that lead back to their start without descending into the data: they would never end. */
  #checkCycles(root: Json): void {
    const done = new Set<string>();
    const visit = (pointer: string, open: ReadonlySet<string>): boolean => {
      if (open.has(pointer)) return true;
      if (done.has(pointer)) return false;
      const here = new Set(open).add(pointer);
      const schema = resolve(root, pointer);
      if (!isJsonObject(schema)) return false;
      const next = [...inPlace(schema)].map((part) => pointer + part);
      if (typeof schema["$ref"] === "string") next.push(schema["$ref"].slice(1));
      const found = next.some((one) => visit(one, here));
      done.add(pointer);
      return found;
    };
    for (const { path, ref } of this.#refs) {
      const pointer = toPointer(path.slice(0, -1));
      if (visit(pointer, new Set())) {
        this.add(path, `${ref} refers back to itself without consuming data`);
        return;
      }
    }
  }

  #keyword(shape: Shape, value: Json, path: Path, depth: number): void {
    switch (shape) {
      case "schema": {
        this.schema(value, path, depth + 1);
        return;
      }
      case "items":
        if (Array.isArray(value)) this.#schemas(value, path, depth);
        else this.schema(value, path, depth + 1);
        return;
      case "schemas":
        if (!Array.isArray(value) || value.length === 0) {
          this.add(path, "expected a list of schemas");
          return;
        }
        {
          this.#schemas(value, path, depth);
          return;
        }
      case "schemaMap":
      case "patternMap":
        if (!isJsonObject(value)) {
          this.add(path, "expected an object of schemas");
          return;
        }
        for (const [name, inner] of Object.entries(value)) {
          if (shape === "patternMap") this.#pattern(name, [...path, name]);
          this.schema(inner, [...path, name], depth + 1);
        }
        return;
      case "number":
        if (typeof value !== "number" || (path.at(-1) === "multipleOf" && value <= 0))
          this.add(path, path.at(-1) === "multipleOf" ? "expected a number above 0" : "expected a number");
        return;
      case "count":
        if (!Number.isInteger(value) || (value as number) < 0) this.add(path, "expected a non-negative integer");
        return;
      case "texts": {
        this.#texts(value, path);
        return;
      }
      case "textsMap":
        if (!isJsonObject(value)) {
          this.add(path, "expected an object of lists of names");
          return;
        }
        for (const [name, inner] of Object.entries(value)) this.#texts(inner, [...path, name]);
        return;
      case "text":
        if (typeof value !== "string") this.add(path, "expected text");
        return;
      case "pattern":
        if (typeof value === "string") this.#pattern(value, path);
        else this.add(path, "expected text");
        return;
      case "flag":
        if (typeof value !== "boolean") this.add(path, "expected true or false");
        return;
      case "list":
        if (!Array.isArray(value) || value.length === 0) this.add(path, "expected a list of values");
        return;
      case "types": {
        const types = Array.isArray(value) ? value : [value];
        const wrong = types.find((type) => !TYPES.includes(type as string));
        if (types.length === 0 || wrong !== undefined)
          this.add(path, `expected a type (${TYPES.join(", ")}) or a list of them`);
        return;
      }
      case "ref":
        if (typeof value !== "string" || !/^#(\/.*)?$/.test(value)) {
          this.add(path, "a reference must stay inside the schema: # or #/$defs/name; nothing is fetched");
          return;
        }
        this.#refs.push({ path, ref: decodeRef(value) });
        return;
      case "dialect":
        if (typeof value !== "string" || !Object.hasOwn(DIALECTS, value.replace(/#$/, "")))
          this.add(path, `expected one of ${Object.keys(DIALECTS).join(", ")}`);
        return;
      case "any":
        return;
    }
  }

  #schemas(values: readonly Json[], path: Path, depth: number): void {
    for (const [index, value] of values.entries()) this.schema(value, [...path, index], depth + 1);
  }

  #texts(value: Json, path: Path): void {
    if (!Array.isArray(value) || value.some((one) => typeof one !== "string"))
      this.add(path, "expected a list of names");
  }

  #pattern(pattern: string, path: Path): void {
    try {
      new RegExp(pattern, "u");
    } catch (error) {
      this.add(path, `the pattern cannot be read: ${(error as Error).message.replace(/^.*: /, "")}`);
    }
  }
}

/** Paths of the schemas that apply to the same value as `schema`, relative to it. */
function* inPlace(schema: JsonObject): Iterable<string> {
  for (const key of ["allOf", "anyOf", "oneOf"]) {
    const list = schema[key];
    if (Array.isArray(list)) for (const index of list.keys()) yield `/${key}/${index}`;
  }
  for (const key of ["not", "if", "then", "else"]) if (schema[key] !== undefined) yield `/${key}`;
  const dependent = schema["dependentSchemas"];
  if (isJsonObject(dependent)) for (const name of Object.keys(dependent)) yield `/dependentSchemas/${escapePart(name)}`;
}

function resolve(root: Json, pointer: string): Json | undefined {
  let value: Json | undefined = root;
  for (const part of pointer.split("/").slice(1)) {
    const name = part.replaceAll("~1", "/").replaceAll("~0", "~");
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, name)) return undefined;
    value = (value as Record<string, Json>)[name];
  }
  return value;
}

function decodeRef(ref: string): string {
  try {
    return decodeURIComponent(ref);
  } catch {
    return ref; // not percent-encoded: it resolves to nothing
  }
}

function toPointer(path: Path): string {
  return path.map((part) => `/${escapePart(String(part))}`).join("");
}

function escapePart(part: string): string {
  return part.replaceAll("~", "~0").replaceAll("/", "~1");
}
