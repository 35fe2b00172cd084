/** Sizes of JSON values without writing them out. */
import type { Json } from "./json.ts";

/**
 * True when `value` has more than about `limit` bytes as JSON text. Stops counting there, so that a value which holds the same list a million times
 * costs no more than the limit; small values cost next to nothing. Characters count as one byte.
 */
export function exceedsSize(value: Json, limit: number): boolean {
  return measureJson(value, limit) > limit;
}

/** About how many bytes `value` has as JSON text, counted as in {@link exceedsSize}; more than `limit` says no more than that. */
export function measureJson(value: Json, limit: number): number {
  try {
    return limit - spend(value, limit);
  } catch (error) {
    // Nested deeper than the stack, or in itself: no size would do.
    if (error instanceof RangeError) return Number.POSITIVE_INFINITY;
    throw error;
  }
}

/** What is left of `left` after the value; negative when it was not enough. */
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
