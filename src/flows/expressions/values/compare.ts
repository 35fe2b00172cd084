/** Equality and order of values. The compared data is charged as the comparison proceeds. */
import { BuiltMap } from "./lists.ts";
import { charge, chargeText } from "./meter.ts";
import { Duration, failExpression, ListValue, MapValue, Timestamp, TypeValue, Uint, type Value } from "./values.ts";

/**
 * Whether two values are equal. Numbers of all types are equal if they have the same value; other values of different
 * types are never equal.
 */
export function areEqual(left: Value, right: Value): boolean {
  charge(1);
  switch (typeof left) {
    case "string":
      if (typeof right !== "string" || left.length !== right.length) return false;
      chargeText(left.length);
      return left === right;
    case "boolean":
      return left === right;
    case "bigint":
    case "number":
      return isNumber(right) && compareNumbers(left, right) === 0;
    default:
      return left === null ? right === null : areObjectsEqual(left, right);
  }
}

function areObjectsEqual(left: Exclude<Value, string | bigint | number | boolean | null>, right: Value): boolean {
  if (left instanceof ListValue) return right instanceof ListValue && areListsEqual(left, right);
  if (left instanceof MapValue) return right instanceof MapValue && areMapsEqual(left, right);
  if (left instanceof Uint) return isNumber(right) && compareNumbers(left, right) === 0;
  if (left instanceof Timestamp) return right instanceof Timestamp && left.nanos === right.nanos;
  if (left instanceof Duration) return right instanceof Duration && left.nanos === right.nanos;
  if (left instanceof TypeValue) return right instanceof TypeValue && left.name === right.name;
  return right instanceof Uint8Array && left.length === right.length && compareBytes(left, right) === 0;
}

function areListsEqual(left: ListValue, right: ListValue): boolean {
  if (left.size !== right.size) return false;
  for (let index = 0; index < left.size; index++) {
    if (!areEqual(left.get(index) as Value, right.get(index) as Value)) return false;
  }
  return true;
}

function areMapsEqual(left: MapValue, right: MapValue): boolean {
  charge(sizeCost(left) + sizeCost(right));
  if (left.size !== right.size) return false;
  for (const key of left.keys()) {
    const other = right.get(key);
    if (other === undefined || !areEqual(left.get(key) as Value, other)) return false;
  }
  return true;
}

/** Steps for counting the keys of a map: the keys of JSON objects are counted one by one. */
function sizeCost(map: MapValue): number {
  return map instanceof BuiltMap ? 0 : map.size;
}

export function isNumber(value: Value): value is bigint | number | Uint {
  return typeof value === "bigint" || typeof value === "number" || value instanceof Uint;
}

/** Returns -1, 0, or 1; NaN if either is NaN. An integer and a double are compared as doubles. */
export function compareNumbers(left: bigint | number | Uint, right: bigint | number | Uint): number {
  const a = left instanceof Uint ? left.value : left;
  const b = right instanceof Uint ? right.value : right;
  if (typeof a === "bigint" && typeof b === "bigint") return a < b ? -1 : a > b ? 1 : 0;
  const [x, y] = [Number(a), Number(b)];
  if (x < y) return -1;
  if (x > y) return 1;
  return x === y ? 0 : Number.NaN;
}

/** Order of text by code points. Charges what it compares. */
export function compareText(left: string, right: string): number {
  const length = Math.min(left.length, right.length);
  chargeText(length);
  for (let at = 0; at < length; at++) {
    const a = left.charCodeAt(at);
    const b = right.charCodeAt(at);
    if (a !== b) return rank(a) < rank(b) ? -1 : 1;
  }
  return Math.sign(left.length - right.length);
}

/** Surrogates represent characters above all others. */
function rank(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x1_0000 : unit;
}

/** Order of bytes. Charges what it compares. */
export function compareBytes(left: Uint8Array, right: Uint8Array): number {
  chargeText(Math.min(left.length, right.length));
  return Buffer.compare(left, right);
}

/**
 * Order of two values of one type, or of two numbers. Fails for types without an order, for different types, and for
 * NaN.
 */
export function compareValues(left: Value, right: Value): number {
  if (isNumber(left) && isNumber(right)) {
    const order = compareNumbers(left, right);
    return Number.isNaN(order) ? failExpression("NaN has no order; leave it out") : order;
  }
  if (typeof left === "string" && typeof right === "string") return compareText(left, right);
  if (typeof left === "boolean" && typeof right === "boolean") return Number(left) - Number(right);
  if (
    (left instanceof Timestamp && right instanceof Timestamp) ||
    (left instanceof Duration && right instanceof Duration)
  )
    return compareNumbers(left.nanos, right.nanos);
  if (left instanceof Uint8Array && right instanceof Uint8Array) return compareBytes(left, right);
  return failExpression(
    "the elements have no common order; they must all be numbers, or all strings, bytes, booleans, timestamps or durations",
  );
}
