/**
 * Values of expressions. int is a bigint and double is a number; text, booleans, null, and bytes are themselves. The
 * other types are classes here and in `maps.ts` and `lists.ts`.
 */

export type Value =
  | null
  | boolean
  | string
  | bigint
  | number
  | Uint
  | Uint8Array
  | Timestamp
  | Duration
  | TypeValue
  | ListValue
  | MapValue;

/** An unsigned integer of 64 bits. */
export class Uint {
  readonly value: bigint;

  constructor(value: bigint) {
    this.value = value;
  }
}

/** A point in time. */
export class Timestamp {
  /** Nanoseconds since 1970-01-01T00:00:00Z. */
  readonly nanos: bigint;

  constructor(nanos: bigint) {
    this.nanos = nanos;
  }
}

/** A length of time. */
export class Duration {
  /** Nanoseconds. */
  readonly nanos: bigint;

  constructor(nanos: bigint) {
    this.nanos = nanos;
  }
}

/** A type as a value: the result of `type(x)`. */
export class TypeValue {
  readonly name: string;

  constructor(name: string) {
    this.name = name;
  }
}

/** A list. Immutable. */
export abstract class ListValue implements Iterable<Value> {
  abstract readonly size: number;
  /** The element at an index; undefined if there is none. */
  abstract get(index: number): Value | undefined;
  abstract [Symbol.iterator](): Iterator<Value>;
}

/** A map. Immutable. */
export abstract class MapValue {
  abstract readonly size: number;
  /** The value of a key; undefined if there is none. Equal numbers of all types are one key. */
  abstract get(key: Value): Value | undefined;
  abstract keys(): Iterable<Value>;

  /** Whether there is a value, which is not read. */
  has(key: Value): boolean {
    return this.get(key) !== undefined;
  }
}

const MAX_INT = 9_223_372_036_854_775_807n;
const MAX_UINT = 18_446_744_073_709_551_615n;

/** Whether an integer fits into an int. */
export function isInt(value: bigint): boolean {
  return value <= MAX_INT && value >= -MAX_INT - 1n;
}

/** Whether an integer fits into a uint. */
export function isUint(value: bigint): boolean {
  return value >= 0n && value <= MAX_UINT;
}

/** Thrown where an expression has no value: CEL's error, which `||` and `&&` absorb if the other side decides. */
export class ExpressionError extends Error {
  /** Offset in the source of the operation that failed; -1 until it is known. */
  at = -1;
}

/** Fails the expression. */
export function failExpression(problem: string): never {
  throw new ExpressionError(problem);
}

/** Value types, by the names that signatures use. */
export interface KindTypes {
  readonly null: null;
  readonly bool: boolean;
  readonly string: string;
  readonly int: bigint;
  readonly double: number;
  readonly uint: Uint;
  readonly bytes: Uint8Array;
  readonly timestamp: Timestamp;
  readonly duration: Duration;
  readonly type: TypeValue;
  readonly list: ListValue;
  readonly map: MapValue;
  readonly any: Value;
}

/** Name of a type in signatures; `any` stands for all of them. */
export type Kind = keyof KindTypes;

export function kindOf(value: Value): Exclude<Kind, "any"> {
  switch (typeof value) {
    case "string":
      return "string";
    case "bigint":
      return "int";
    case "number":
      return "double";
    case "boolean":
      return "bool";
    default:
      return value === null ? "null" : kindOfObject(value);
  }
}

function kindOfObject(value: Exclude<Value, string | bigint | number | boolean | null>): Exclude<Kind, "any"> {
  if (value instanceof ListValue) return "list";
  if (value instanceof MapValue) return "map";
  if (value instanceof Timestamp) return "timestamp";
  if (value instanceof Duration) return "duration";
  if (value instanceof Uint) return "uint";
  return value instanceof TypeValue ? "type" : "bytes";
}

const TYPES: Readonly<Record<Exclude<Kind, "any">, TypeValue>> = {
  null: new TypeValue("null_type"),
  bool: new TypeValue("bool"),
  string: new TypeValue("string"),
  int: new TypeValue("int"),
  double: new TypeValue("double"),
  uint: new TypeValue("uint"),
  bytes: new TypeValue("bytes"),
  timestamp: new TypeValue("google.protobuf.Timestamp"),
  duration: new TypeValue("google.protobuf.Duration"),
  type: new TypeValue("type"),
  list: new TypeValue("list"),
  map: new TypeValue("map"),
};

/** The type of a value, as a value. */
export function typeOf(value: Value): TypeValue {
  return TYPES[kindOf(value)];
}

/** Types, by their names in expressions. */
export const TYPE_VALUES: ReadonlyMap<string, TypeValue> = new Map(
  Object.values(TYPES).map((type) => [type.name, type]),
);
