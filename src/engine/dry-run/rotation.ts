/** Those who wait, by turns. */

/**
 * Values that wait under keys of several levels, such as tenant and caller. On each level the key that was served
 * longest ago comes next; under the same keys, values keep their order.
 */
export interface Rotation<T> {
  add(keys: readonly string[], value: T): void;
  /** Removes a value that waits no longer; nothing happens when it is not there. */
  remove(keys: readonly string[], value: T): void;
  /** The next value; undefined when none waits. */
  take(): T | undefined;
  /** How many wait under keys, those of further levels included. */
  sizeOf(keys: readonly string[]): number;
}

interface Level<T> {
  readonly below: Map<string, Level<T>>;
  values: T[];
  /** With those below. */
  size: number;
}

const createLevel = <T>(): Level<T> => ({ below: new Map(), values: [], size: 0 });

/** Creates one in which nobody waits. */
export function createRotation<T>(): Rotation<T> {
  const top = createLevel<T>();
  return {
    add(keys, value) {
      let level = top;
      level.size += 1;
      for (const key of keys) {
        const next = level.below.get(key) ?? createLevel<T>();
        level.below.set(key, next);
        level = next;
        level.size += 1;
      }
      level.values.push(value);
    },
    remove: (keys, value) => void removeFrom(top, keys, value),
    take: () => takeFrom(top),
    sizeOf(keys) {
      let level: Level<T> | undefined = top;
      for (const key of keys) level = level?.below.get(key);
      return level?.size ?? 0;
    },
  };
}

function takeFrom<T>(level: Level<T>): T | undefined {
  if (level.size === 0) return undefined;
  level.size -= 1;
  const [first] = level.below;
  if (first === undefined) return level.values.shift();
  const [key, next] = first;
  const value = takeFrom(next);
  // Its next turn comes after those of the others.
  level.below.delete(key);
  if (next.size > 0) level.below.set(key, next);
  return value;
}

/** Whether it was there. */
function removeFrom<T>(level: Level<T>, [key, ...keys]: readonly string[], value: T): boolean {
  if (key === undefined) {
    const left = level.values.filter((one) => one !== value);
    if (left.length === level.values.length) return false;
    level.values = left;
  } else {
    const next = level.below.get(key);
    if (next === undefined || !removeFrom(next, keys, value)) return false;
    if (next.size === 0) level.below.delete(key);
  }
  level.size -= 1;
  return true;
}
