import type { Json } from "./json.ts";

/**
 * JSON that we have written. Nothing that comes in is larger than a double can be, so a number that is was not written by us: it would become Infinity here, which
 * JSON has no word for, and break the answer that holds it. Throws SyntaxError for such a text, and for one that is no JSON.
 */
export function parseStoredJson(text: string): Json {
  const value = JSON.parse(text) as Json;
  // Few texts have a number this long; those that do are searched.
  if (MAY_BE_HUGE.test(text) && holdsInfinity(value)) throw new SyntaxError("it holds a number that no double can be");
  return value;
}

/** An exponent of three digits, or more digits in a row than the largest double has. */
const MAY_BE_HUGE = /\d[eE]\+?\d{3}|(?<!\d)\d{309}/;

function holdsInfinity(value: Json): boolean {
  if (typeof value === "number") return !Number.isFinite(value);
  if (typeof value !== "object" || value === null) return false;
  return (Array.isArray(value) ? value : Object.values(value)).some((part: Json) => holdsInfinity(part));
}
