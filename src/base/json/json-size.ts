/** Sizes of JSON values without serializing them. */
import type { Json } from "./json.ts";

/**
 * Returns true when `value` has more than about `limit` bytes as JSON text. Counting stops there, so a value that
 * contains the same list a million times costs no more than the limit; small values cost next to nothing. Characters
 * count as one byte.
 */
export function exceedsSize(value: Json, limit: number): boolean {
  return measureJson(value, limit) > limit;
}

/**
 * Returns the approximate size of `value` as JSON text in bytes, counted as in {@link exceedsSize}. A result above
 * `limit` only means that the limit is exceeded.
 */
export function measureJson(value: Json, limit: number): number {
  try {
    return limit - spend(value, limit);
  } catch (error) {
    // Nested deeper than the stack, or cyclic: it exceeds every limit.
    if (error instanceof RangeError) return Number.POSITIVE_INFINITY;
    throw error;
  }
}

/** Returns what remains of `left` after the value; negative when it is exceeded. */
function spend(value: Json, left: number): number {
  if (typeof value === "string") return left - value.length - 2;
  if (typeof value !== "object" || value === null) return left - 8;
  let rest = left - 2;
  if (Array.isArray(value)) {
    for (const element of value) {
      rest = spend(element, rest - 1);
      if (rest < 0) return rest;
    }
    return rest;
  }
  const object = value as Readonly<Record<string, Json>>;
  for (const key in object) {
    rest = spend(object[key] as Json, rest - key.length - 4);
    if (rest < 0) return rest;
  }
  return rest;
}
