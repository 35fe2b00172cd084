/**
 * Converts between JSON and expression values. Lists and objects are views: a value costs nothing until it is read.
 * Only own properties exist.
 */
import type { Json, JsonObject } from "../../../base/json/json.ts";
import { MAX_JSON_DEPTH } from "../../../base/json/json-parse.ts";
import { isFitInteger } from "../../../base/json/json-scan.ts";
import { showKey } from "./lists.ts";
import { charge, chargeText, chargeWeight } from "./meter.ts";
import { formatDuration, formatTimestamp } from "./time.ts";
import { Duration, failExpression, ListValue, MapValue, Timestamp, TypeValue, Uint, type Value } from "./values.ts";

/** Told of objects and lists as expressions read them; null: nobody is. Evaluation is synchronous. */
let onRead: ((value: object) => void) | null = null;

/** Runs `body` and tells of each object and list that an expression in it reads, before anything inside it is read. */
export function withReads<T>(listener: (value: object) => void, body: () => T): T {
  const before = onRead;
  onRead = listener;
  try {
    return body();
  } finally {
    onRead = before;
  }
}

/** Converts a JSON value to an expression value: integral numbers become int, others double. */
export function toValue(value: Json): Value {
  switch (typeof value) {
    case "number":
      return Number.isSafeInteger(value) ? BigInt(value) : value;
    case "string":
    case "boolean":
      return value;
    default:
      if (value === null) return null;
      onRead?.(value);
      return Array.isArray(value) ? new JsonList(value) : new JsonMap(value as JsonObject);
  }
}

class JsonList extends ListValue {
  readonly source: readonly Json[];

  constructor(source: readonly Json[]) {
    super();
    this.source = source;
  }

  get size(): number {
    return this.source.length;
  }

  get(index: number): Value | undefined {
    const element = Number.isInteger(index) && index >= 0 ? this.source[index] : undefined;
    return element === undefined ? undefined : toValue(element);
  }

  *[Symbol.iterator](): Iterator<Value> {
    for (const element of this.source) yield toValue(element);
  }
}

/** View of a JSON object; its keys are strings. */
class JsonMap extends MapValue {
  readonly source: JsonObject;
  private counted = -1;

  constructor(source: JsonObject) {
    super();
    this.source = source;
  }

  get size(): number {
    if (this.counted < 0) this.counted = Object.keys(this.source).length;
    return this.counted;
  }

  get(key: Value): Value | undefined {
    if (typeof key !== "string" || !Object.hasOwn(this.source, key)) return undefined;
    return toValue(this.source[key] as Json);
  }

  override has(key: Value): boolean {
    return typeof key === "string" && Object.hasOwn(this.source, key);
  }

  keys(): Iterable<string> {
    return Object.keys(this.source);
  }
}

/**
 * Converts a value to JSON. Everything that an expression computes passes through here. Fails for integers that a
 * double cannot hold, for NaN and infinities, for text with NUL or a lone surrogate, for keys with the same text, and
 * for values that nest too deep. -0 becomes 0. Charges the size of the result before it is built.
 */
export function toJson(value: Value, depth = 0): Json {
  charge(1);
  switch (typeof value) {
    case "boolean":
      return value;
    case "string":
      return checkText(value);
    case "number":
      if (!Number.isFinite(value)) failExpression(`the result is ${value}, which JSON cannot hold`);
      return Object.is(value, -0) ? 0 : value;
    case "bigint":
      return fromInteger(value);
    default:
      return value === null ? null : fromObject(value, depth);
  }
}

function fromObject(value: Exclude<Value, string | number | bigint | boolean | null>, depth: number): Json {
  if (value instanceof JsonList || value instanceof JsonMap) {
    checkDepth(depth + depthOf(value.source));
    chargeWeight(weightOf(value.source));
    return value.source;
  }
  if (value instanceof ListValue) {
    checkDepth(depth + 1);
    charge(value.size);
    return Array.from(value, (element) => toJson(element, depth + 1));
  }
  if (value instanceof MapValue) return fromMap(value, depth + 1);
  if (value instanceof Uint) return fromInteger(value.value);
  if (value instanceof Timestamp) return formatTimestamp(value);
  if (value instanceof Duration) return formatDuration(value);
  if (value instanceof TypeValue) return value.name;
  chargeText(2 * value.length);
  return Buffer.from(value).toString("base64");
}

/** Fails for a value that nests deeper than callers may send. */
function checkDepth(depth: number): void {
  if (depth > MAX_JSON_DEPTH) failExpression(`the result nests deeper than ${MAX_JSON_DEPTH} levels`);
}

function fromMap(map: MapValue, depth: number): Json {
  checkDepth(depth);
  const result: Record<string, Json> = {};
  for (const key of map.keys()) {
    const name = checkText(key instanceof Uint ? String(key.value) : String(key));
    if (Object.hasOwn(result, name))
      failExpression(`the map has two keys that are ${showKey(name)} in JSON, where all keys are text`);
    const value = toJson(map.get(key) as Value, depth);
    Object.defineProperty(result, name, { value, enumerable: true, writable: true, configurable: true });
  }
  return result;
}

function checkText(text: string): string {
  chargeWeight(text.length);
  if (text.includes("\u0000")) failExpression("the result holds text with NUL, which nothing can store; leave it out");
  if (!text.isWellFormed())
    failExpression("the result holds text with half of a surrogate pair, which is no character");
  return text;
}

/** The rule of inputs: an integer is valid JSON if its text survives a round trip. */
function fromInteger(value: bigint): number {
  if (!isFitInteger(value))
    failExpression(`the integer ${value} cannot be held exactly by JSON; use string(…) or double(…)`);
  return Number(value);
}

const depths = new WeakMap<object, number>();

/** Nesting depth of lists and objects in a JSON value; 0 for all others. Cached. */
export function depthOf(value: Json): number {
  if (typeof value !== "object" || value === null) return 0;
  const known = depths.get(value);
  if (known !== undefined) return known;
  let depth = 0;
  for (const element of Object.values(value)) depth = Math.max(depth, depthOf(element as Json));
  depths.set(value, depth + 1);
  return depth + 1;
}

const weights = new WeakMap<object, number>();

/**
 * Approximate size in bytes of a JSON value as text; cached for lists and objects, which never change. A value that
 * contains the same list many times weighs as much as its text would, which may exceed any memory: the size is computed
 * without expanding the value.
 */
export function weightOf(value: Json): number {
  if (typeof value === "string") return value.length + 2;
  if (typeof value !== "object" || value === null) return 8;
  const known = weights.get(value);
  if (known !== undefined) return known;
  let weight = 2;
  if (Array.isArray(value)) for (const element of value) weight += weightOf(element) + 1;
  else for (const [key, element] of Object.entries(value)) weight += key.length + 4 + weightOf(element);
  weights.set(value, weight);
  return weight;
}
