/** Inserts after which the entries move to a new table, at least. */
const MIN_INSERTS = 64;

/**
 * A map that lives long while its entries come and go.
 *
 * V8 gives a map a new table whenever the old one is full of deleted entries, and lets the old table point to the new one. Once such a table is old to the collector, every
 * table behind it and all that was ever in them outlives the collections of the young heap, until the whole heap is marked: of 200 runs in flight, each collection copied
 * 18 MB in place of 6. This map moves to a table of its own making after as many inserts as it holds entries, and a chain ends there.
 *
 * While its values are read one by one no entry may be added.
 */
export class ChurningMap<K, V> {
  #map = new Map<K, V>();
  #insertsLeft = MIN_INSERTS;

  /** Number of entries. */
  get size(): number {
    return this.#map.size;
  }

  /** The value of a key. */
  get(key: K): V | undefined {
    return this.#map.get(key);
  }

  /** Whether there is an entry of this key. */
  has(key: K): boolean {
    return this.#map.has(key);
  }

  /** Adds an entry or replaces its value. */
  set(key: K, value: V): void {
    if (this.#insertsLeft === 0) {
      this.#map = new Map(this.#map);
      this.#insertsLeft = Math.max(MIN_INSERTS, this.#map.size);
    }
    this.#insertsLeft -= 1;
    this.#map.set(key, value);
  }

  /** Removes an entry; false when there was none. */
  delete(key: K): boolean {
    return this.#map.delete(key);
  }

  /** The values, oldest entry first. */
  values(): MapIterator<V> {
    return this.#map.values();
  }
}
