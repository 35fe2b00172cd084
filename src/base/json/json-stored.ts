import type { Json } from "./json.ts";

/**
 * Parses JSON that this product wrote. Input never contains numbers beyond the range of a double, so such a number was
 * not written by us: it would become Infinity, which JSON cannot represent, and break the answer that contains it.
 * Throws SyntaxError for such a text, and for text that is not JSON.
 */
export function parseStoredJson(text: string): Json {
  const value = JSON.parse(text) as Json;
  // Few texts contain a number this long; those that do are searched.
  if (MAY_BE_HUGE.test(text) && holdsInfinity(value)) throw new SyntaxError("it holds a number that no double can be");
  return value;
}

/** An exponent of three digits, or more consecutive digits than the largest double has. */
const MAY_BE_HUGE = /\d[eE]\+?\d{3}|(?<!\d)\d{309}/;

function holdsInfinity(value: Json): boolean {
  if (typeof value === "number") return !Number.isFinite(value);
  if (typeof value !== "object" || value === null) return false;
  return (Array.isArray(value) ? value : Object.values(value)).some((part: Json) => holdsInfinity(part));
}
