/** Random numbers from a seed: the same seed gives the same flow on every machine. */

/** A source of choices. */
export type Random = {
  /** A number in [0, 1). */
  next(): number;
  /** An integer between `low` and `high`, both included. */
  int(low: number, high: number): number;
  /** True with the given probability. */
  chance(probability: number): boolean;
  /** One of the list. */
  pick<Item>(list: readonly Item[]): Item;
  /** Between `low` and `high` different elements of the list, in its order; fewer when it is shorter. */
  some<Item>(list: readonly Item[], low: number, high: number): Item[];
  /** The list in random order. */
  shuffle<Item>(list: readonly Item[]): Item[];
};

/** A source for `seed` (mulberry32). */
export function createRandom(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
  const int = (low: number, high: number): number => low + Math.floor(next() * (high - low + 1));
  const shuffle = <Item>(list: readonly Item[]): Item[] =>
    list
      .map((item) => ({ item, key: next() }))
      .sort((a, b) => a.key - b.key)
      .map(({ item }) => item);
  return {
    next,
    int,
    chance: (probability) => next() < probability,
    pick: (list) => {
      const item = list[int(0, list.length - 1)];
      if (item === undefined) throw new Error("nothing to pick from");
      return item;
    },
    some: (list, low, high) => {
      const chosen = new Set(shuffle(list).slice(0, int(low, high)));
      return list.filter((item) => chosen.has(item));
    },
    shuffle,
  };
}
