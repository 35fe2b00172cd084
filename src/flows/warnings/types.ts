/**
 * Types of expressions, as far as they are known before a run. `dyn` is unknown and never reported. Null fits
 * everywhere: a value may be missing.
 */
import type { Json } from "../../base/json/json.ts";

/** Types without parts. `number` is an int or a double: JSON does not distinguish them. */
export type ScalarKind =
  | "dyn"
  | "null"
  | "bool"
  | "string"
  | "int"
  | "double"
  | "number"
  | "uint"
  | "bytes"
  | "timestamp"
  | "duration"
  | "type";

export type Type = { readonly kind: ScalarKind } | ListType | MapType;

/** A list. */
export interface ListType {
  readonly kind: "list";
  readonly element: Type;
}

/** An object. */
export interface MapType {
  readonly kind: "map";
  readonly fields: ReadonlyMap<string, Type>;
  /** Type of fields that are not listed; null if there are no others. */
  readonly rest: Type | null;
  /** Whether keys may be other than text; JSON objects only have text keys. */
  readonly anyKeys?: boolean;
  /** Id of the `parallel` or `map` whose output this is. */
  readonly group?: string;
}

/** The unknown type. */
export const DYN: Type = { kind: "dyn" };
/** An object of unknown content. */
export const OBJECT: Type = { kind: "map", fields: new Map(), rest: DYN };

/** The type of `kind`; for lists and objects, with unknown parts. */
export function typeOfKind(kind: string): Type {
  if (kind === "list") return { kind, element: DYN };
  if (kind === "map") return { kind, fields: new Map(), rest: DYN, anyKeys: true };
  return kind === "any" ? DYN : { kind: kind as ScalarKind };
}

/** Whether both can be the same value; null counts as unknown. */
export function mayEqual(a: Type, b: Type): boolean {
  const [left, right] = [family(a), family(b)];
  return left === "unknown" || right === "unknown" || left === right;
}

/** The group of comparable types that a type belongs to. */
function family({ kind }: Type): string {
  if (kind === "dyn" || kind === "null") return "unknown";
  return kind === "int" || kind === "double" || kind === "number" || kind === "uint" ? "number" : kind;
}

/** Whether a value of a type may be passed where `param` is expected. */
export function mayFit({ kind }: Type, param: string): boolean {
  if (kind === "dyn" || kind === "null" || param === "any" || kind === param) return true;
  return kind === "number" && (param === "int" || param === "double");
}

/** The union of two types. */
export function joinTypes(a: Type, b: Type): Type {
  if (a === b || b.kind === "null") return a;
  if (a.kind === "null") return b;
  if (a.kind === "list" && b.kind === "list") return { kind: "list", element: joinTypes(a.element, b.element) };
  if (a.kind === "map" && b.kind === "map")
    return { ...OBJECT, anyKeys: a.anyKeys === true || b.anyKeys === true } as MapType;
  if (a.kind === b.kind) return a;
  return family(a) === "number" && family(b) === "number" ? { kind: "number" } : DYN;
}

/** A type in words: `a number`. */
export function describeType({ kind }: Type): string {
  return WORDS[kind];
}

const WORDS: Readonly<Record<Type["kind"], string>> = {
  dyn: "a value",
  null: "null",
  bool: "a boolean",
  string: "text",
  int: "a number",
  double: "a number",
  number: "a number",
  uint: "a number (uint)",
  bytes: "bytes",
  timestamp: "a timestamp",
  duration: "a duration",
  type: "a type",
  list: "a list",
  map: "an object",
};

/** The type that a JSON Schema describes; unspecified parts are unknown. */
export function typeOfSchema(schema: Json | undefined): Type {
  if (typeof schema !== "object" || schema === null || Array.isArray(schema)) return DYN;
  const { type, properties, items, additionalProperties } = schema as Readonly<Record<string, Json>>;
  switch (type) {
    case "boolean":
      return { kind: "bool" };
    case "string":
    case "null":
      return { kind: type };
    case "integer":
      return { kind: "int" };
    case "number":
      return { kind: "number" };
    case "array":
      return { kind: "list", element: typeOfSchema(items) };
    case "object":
      return {
        kind: "map",
        fields: new Map(Object.entries(properties ?? {}).map(([name, value]) => [name, typeOfSchema(value as Json)])),
        rest: additionalProperties === false ? null : DYN,
      };
    default:
      return DYN;
  }
}
