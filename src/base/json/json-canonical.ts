import canonicalize from "canonicalize";
import type { Json } from "./json.ts";

/**
 * Returns the canonical JSON text of a value (RFC 8785): keys sorted by UTF-16 code units, shortest numbers. Throws for
 * values that JSON cannot represent.
 */
export function canonicalJson(value: Json): string {
  const text = canonicalize(value);
  if (text === undefined) throw new TypeError("not a JSON value");
  return text;
}
