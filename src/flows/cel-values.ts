/**
 * JSON as CEL sees it: lists and objects are views, so that a value costs nothing until it is looked at. Only own properties exist.
 *
 * The views carry the library's brands, which it keeps in the global symbol registry so that several copies of it understand each other.
 */
import {
  type CelList,
  type CelMap,
  type CelUint,
  type CelValue,
  celError,
  isCelError,
  isCelList,
  isCelMap,
  isCelType,
  isCelUint,
} from "@bufbuild/cel";
import type { Json, JsonObject } from "../base/json.ts";

const LIST_BRAND = Symbol.for("@bufbuild/cel/list");
const MAP_BRAND = Symbol.for("@bufbuild/cel/map");

/** A JSON value as a CEL value: integral numbers become int, others double. */
export function toCelValue(value: Json): CelValue {
  switch (typeof value) {
    case "number":
      return Number.isSafeInteger(value) ? BigInt(value) : value;
    case "string":
    case "boolean":
      return value;
    default:
      if (value === null) return null;
      return (Array.isArray(value) ? new JsonList(value) : new JsonMap(value as JsonObject)) as unknown as CelValue;
  }
}

/** View of a JSON array. */
class JsonList {
  readonly [LIST_BRAND] = true;
  readonly source: readonly Json[];

  constructor(source: readonly Json[]) {
    this.source = source;
  }

  get size(): number {
    return this.source.length;
  }

  get(index: number): CelValue | undefined {
    const element = Number.isInteger(index) && index >= 0 ? this.source[index] : undefined;
    return element === undefined ? undefined : toCelValue(element);
  }

  *values(): IterableIterator<CelValue> {
    for (const element of this.source) yield toCelValue(element);
  }

  [Symbol.iterator](): IterableIterator<CelValue> {
    return this.values();
  }
}

/** View of a JSON object; its keys are text. */
class JsonMap {
  readonly [MAP_BRAND] = true;
  readonly source: JsonObject;
  private counted = -1;

  constructor(source: JsonObject) {
    this.source = source;
  }

  get size(): number {
    if (this.counted < 0) this.counted = Object.keys(this.source).length;
    return this.counted;
  }

  get(key: unknown): CelValue | undefined {
    return this.has(key) ? toCelValue(this.source[key as string] as Json) : undefined;
  }

  has(key: unknown): boolean {
    return typeof key === "string" && Object.hasOwn(this.source, key);
  }

  forEach(visit: (value: CelValue, key: string, map: unknown) => void): void {
    for (const [key, value] of this.entries()) visit(value, key, this);
  }

  *entries(): IterableIterator<[string, CelValue]> {
    for (const [key, value] of Object.entries(this.source)) yield [key, toCelValue(value)];
  }

  keys(): IterableIterator<string> {
    return Object.keys(this.source).values();
  }

  *values(): IterableIterator<CelValue> {
    for (const value of Object.values(this.source)) yield toCelValue(value);
  }

  [Symbol.iterator](): IterableIterator<[string, CelValue]> {
    return this.entries();
  }
}

/**
 * A list that grows at its end without copying: `map` and `filter` build their result as `result + [element]`, which the library keeps as a chain of
 * pairs that is as deep as the list is long. Views of one buffer that end where the buffer ends may grow it; others copy.
 */
class GrowingList {
  readonly [LIST_BRAND] = true;
  readonly size: number;
  private readonly buffer: CelValue[];

  constructor(buffer: CelValue[]) {
    this.buffer = buffer;
    this.size = buffer.length;
  }

  get(index: number): CelValue | undefined {
    return Number.isInteger(index) && index >= 0 && index < this.size ? this.buffer[index] : undefined;
  }

  concat(right: Iterable<CelValue>): GrowingList {
    const buffer = this.buffer.length === this.size ? this.buffer : this.buffer.slice(0, this.size);
    for (const element of right) buffer.push(element);
    return new GrowingList(buffer);
  }

  *values(): IterableIterator<CelValue> {
    for (let index = 0; index < this.size; index++) yield this.buffer[index] as CelValue;
  }

  [Symbol.iterator](): IterableIterator<CelValue> {
    return this.values();
  }
}

/** `left + right` for lists, in time proportional to `right` when `left` was built the same way. */
export function concatLists(left: CelList, right: CelList): CelList {
  const growing =
    (left as unknown) instanceof GrowingList ? (left as unknown as GrowingList) : new GrowingList([...left]);
  return growing.concat(right) as unknown as CelList;
}

/** A member of a list or object; undefined when there is none. */
export function getMember(value: CelValue, key: string | bigint): CelValue | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  if (isCelMap(value)) return value.get(key) as CelValue | undefined;
  return isCelList(value) && typeof key === "bigint" ? value.get(Number(key)) : undefined;
}

/** What a conversion back to JSON reports while it goes. */
export interface ConversionMeter {
  /** Called with a number of steps; throws when there are too many. */
  charge(steps: number): void;
  /** The same for a value of so many characters. */
  chargeWeight(weight: number): void;
  /** Text of values that JSON has no form for (timestamps, durations). */
  textOf(value: CelValue): string;
}

/** A CEL value as JSON. Integers that a double cannot hold, NaN and infinities are refused with a plain Error. */
export function fromCelValue(value: CelValue, meter: ConversionMeter): Json {
  meter.charge(1);
  switch (typeof value) {
    case "boolean":
      return value;
    case "string":
      meter.chargeWeight(value.length);
      return value;
    case "number":
      if (!Number.isFinite(value)) throw new Error(`the result is ${value}, which JSON cannot hold`);
      return Object.is(value, -0) ? 0 : value;
    case "bigint":
      return fromInteger(value);
    default:
      return value === null ? null : fromObject(value, meter);
  }
}

function fromObject(value: Exclude<CelValue, string | number | bigint | boolean | null>, meter: ConversionMeter): Json {
  const view: unknown = value;
  if (view instanceof JsonList || view instanceof JsonMap) {
    meter.chargeWeight(weightOf(view.source));
    return view.source;
  }
  if (isCelList(value)) return [...(value as CelList)].map((element) => fromCelValue(checked(element), meter));
  if (isCelMap(value)) {
    const result: Record<string, Json> = {};
    for (const [key, element] of (value as CelMap).entries()) {
      const name = String(isCelUint(key) ? (key as CelUint).value : key);
      Object.defineProperty(result, name, {
        value: fromCelValue(checked(element), meter),
        enumerable: true,
        writable: true,
        configurable: true,
      });
    }
    return result;
  }
  if (isCelUint(value)) return fromInteger((value as CelUint).value);
  if (value instanceof Uint8Array) return Buffer.from(value).toString("base64");
  if (isCelType(value)) return value.name;
  return meter.textOf(value);
}

function checked(value: unknown): CelValue {
  if (isCelError(value)) throw celError(value);
  return value as CelValue;
}

function fromInteger(value: bigint): number {
  const number = Number(value);
  if (!Number.isSafeInteger(number))
    throw new Error(`the integer ${value} cannot be held exactly by JSON; use string(…) or double(…)`);
  return number;
}

const weights = new WeakMap<object, number>();

/**
 * About how many bytes a JSON value has as text; remembered for lists and objects, which never change. A value that holds the same list many times weighs as
 * much as its text would, which may be more than any memory: it is counted, not walked.
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
