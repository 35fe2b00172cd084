/** Lists and maps that expressions build. */
import { charge } from "./meter.ts";
import { failExpression, ListValue, MapValue, Uint, type Value } from "./values.ts";

/**
 * A list that grows at its end without copying: `reduce(all, x, [], all + [x])` takes time proportional to its result.
 * A view that ends where its buffer ends may extend the buffer; other views copy.
 */
export class BuiltList extends ListValue {
  readonly size: number;
  private readonly buffer: Value[];
  /** Whether the buffer was created by growing, and thus has room. */
  private readonly hasRoom: boolean;

  /** Creates a list of the current contents of `buffer`, and takes ownership of it. */
  constructor(buffer: Value[], hasRoom = false) {
    super();
    this.buffer = buffer;
    this.size = buffer.length;
    this.hasRoom = hasRoom;
  }

  get(index: number): Value | undefined {
    return Number.isInteger(index) && index >= 0 && index < this.size ? this.buffer[index] : undefined;
  }

  *[Symbol.iterator](): Iterator<Value> {
    for (let index = 0; index < this.size; index++) yield this.buffer[index] as Value;
  }

  /** Steps for making room at the end: the elements are copied, one by one or as a block. */
  get growthSteps(): number {
    if (this.buffer.length !== this.size) return this.size;
    return this.hasRoom ? 0 : this.size >>> 4;
  }

  concat(right: Iterable<Value>): BuiltList {
    const buffer = this.buffer.length === this.size ? this.buffer : this.buffer.slice(0, this.size);
    // A list that is appended to itself is read before the buffer grows.
    for (const element of right === this ? [...right] : right) buffer.push(element);
    return new BuiltList(buffer, true);
  }
}

/** `left + right`. Charges what it copies. */
export function concatLists(left: ListValue, right: ListValue): ListValue {
  charge(right.size + (left instanceof BuiltList ? left.growthSteps : left.size));
  return (left instanceof BuiltList ? left : new BuiltList([...left])).concat(right);
}

interface Entry {
  readonly key: Value;
  readonly value: Value;
}

/** A map whose keys may have any of the types string, int, uint, and bool. */
export class BuiltMap extends MapValue {
  /** Integers of both types are stored under their value: 0 and 0u are one key. */
  private readonly entries = new Map<string | bigint | boolean, Entry>();

  get size(): number {
    return this.entries.size;
  }

  /** Adds an entry while the map is built. Fails for a duplicate key, and for a key of another type. */
  add(key: Value, value: Value): void {
    if (typeof key !== "string" && typeof key !== "bigint" && typeof key !== "boolean" && !(key instanceof Uint))
      failExpression("a key of a map is a string, an int, a uint or a bool");
    const hash = key instanceof Uint ? key.value : key;
    if (this.entries.has(hash)) failExpression(`the map has the key ${showKey(key)} twice`);
    this.entries.set(hash, { key, value });
  }

  get(key: Value): Value | undefined {
    if (typeof key === "string" || typeof key === "boolean" || typeof key === "bigint")
      return this.entries.get(key)?.value;
    if (key instanceof Uint) return this.entries.get(key.value)?.value;
    return typeof key === "number" && Number.isInteger(key) ? this.entries.get(BigInt(key))?.value : undefined;
  }

  *keys(): Iterable<Value> {
    for (const { key } of this.entries.values()) yield key;
  }
}

/** A key as shown in messages. */
export function showKey(key: Value): string {
  if (typeof key === "string") return JSON.stringify(key.length > 80 ? `${key.slice(0, 77)}…` : key);
  return key instanceof Uint ? `${key.value}u` : String(key);
}
