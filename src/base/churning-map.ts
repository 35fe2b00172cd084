/** Minimum number of inserts before the entries move to a new table. */
const MIN_INSERTS = 64;

/**
 * A long-lived map whose entries come and go.
 *
 * V8 allocates a new table for a map whenever the old one is full of deleted entries, and keeps a pointer from the old
 * table to the new one. Once such a table is in the old generation, every later table and everything that was ever in
 * them survives minor collections until the next full mark: with 200 runs in flight, each collection copied 18 MB
 * instead of 6. This map moves its entries to a fresh table after as many inserts as it holds entries, which ends the
 * chain.
 *
 * Do not add entries while iterating.
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

  /** Returns whether the map has an entry for this key. */
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

  /** The entries, oldest first. */
  [Symbol.iterator](): MapIterator<[K, V]> {
    return this.#map.entries();
  }

  /** The values, oldest entry first. */
  values(): MapIterator<V> {
    return this.#map.values();
  }
}
