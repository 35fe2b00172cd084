/** Lists and maps that expressions build. */
import { charge } from "./meter.ts";
import { failExpression, ListValue, MapValue, Uint, type Value } from "./values.ts";

/**
 * A list that grows at its end without copying: `reduce(all, x, [], all + [x])` takes time in proportion to its result. Views of one buffer that end where the
 * buffer ends may grow it; others copy.
 */
export class BuiltList extends ListValue {
  readonly size: number;
  private readonly buffer: Value[];
  /** Whether the buffer has been made to grow, so that it has room. */
  private readonly hasRoom: boolean;

  /** A list of what `buffer` holds now. The buffer belongs to the list from then on. */
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
    // What is put at its own end is read before.
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

/** A map with keys of any of the types string, int, uint and bool. */
export class BuiltMap extends MapValue {
  /** Integers of both types stand under their value: 0 and 0u are one key. */
  private readonly entries = new Map<string | bigint | boolean, Entry>();

  get size(): number {
    return this.entries.size;
  }

  /** Adds an entry, while the map is built. Fails for a key that is there, and for one of another type. */
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

/** A key as messages show it. */
export function showKey(key: Value): string {
  if (typeof key === "string") return JSON.stringify(key.length > 80 ? `${key.slice(0, 77)}…` : key);
  return key instanceof Uint ? `${key.value}u` : String(key);
}
