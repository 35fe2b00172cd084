import { isUtf8 } from "node:buffer";
import { fail } from "../errors.ts";
import type { Json } from "./json.ts";
import { isFitNumber, scanJson } from "./json-scan.ts";

/** How deep JSON from outside may nest. Deeper values can be parsed but kill those who print or clone them later. */
export const MAX_JSON_DEPTH = 64;

/** Limits and wording of {@link parseJson}. */
export interface ParseJsonOptions {
  /** What the text is, for messages: `input_json`. */
  readonly field: string;
  /** Longest text in bytes of UTF-8; none when absent. */
  readonly maxBytes?: number;
  /** Deepest nesting; {@link MAX_JSON_DEPTH} when absent. */
  readonly maxDepth?: number;
  /** Integers that a double cannot hold: refused (default), or, for answers of tools, kept as decimal text or as the nearest double. */
  readonly largeIntegers?: "refuse" | "text" | "number";
  /** NUL and half surrogate pairs: refused (default), or left to a later check that knows the field. */
  readonly badText?: "refuse" | "leave";
}

/**
 * Parses JSON from outside. Refused with INVALID_JSON: text that is no JSON or no UTF-8, NUL and half surrogate pairs (the store cannot hold them), keys that
 * appear twice, numbers that a double cannot hold, too deep nesting; with PAYLOAD_TOO_LARGE: more than `maxBytes`. -0 becomes 0: the store does not tell them apart.
 * `__proto__` is an ordinary own key of the result; whoever copies objects must not assign it.
 */
export function parseJson(source: string | Uint8Array, options: ParseJsonOptions): Json {
  const text = typeof source === "string" ? checkSize(source, options) : decode(source, options);
  const scan = scanJson(text);
  const { field, maxDepth = MAX_JSON_DEPTH, largeIntegers = "refuse" } = options;
  if (scan.depth > maxDepth)
    fail("INVALID_JSON", { field, problem: `it nests ${scan.depth} levels deep; the limit is ${maxDepth}` });
  const isTaken = scan.unfitNumber === undefined || (largeIntegers !== "refuse" && /^-?\d+$/.test(scan.unfitNumber));
  if (!isTaken) {
    fail("INVALID_JSON", {
      field,
      problem: `the number ${shorten(scan.unfitNumber ?? "")} does not fit a double; send it as text`,
    });
  }
  const asText = largeIntegers === "text" && scan.unfitNumber !== undefined;
  const value = parseText(text, field, asText || scan.hasNegativeZero ? reviveNumber(asText) : undefined);
  const census = { keys: 0, size: 0, hasNegativeZero: false };
  const mayHoldBadText = scan.hasUnicodeEscape || typeof source === "string";
  checkValue(value, census, mayHoldBadText && options.badText !== "leave", field);
  if (census.keys !== scan.keys)
    fail("INVALID_JSON", { field, problem: `the key ${JSON.stringify(findTwice(text))} appears twice in one object` });
  return value;
}

/** Limits and wording of {@link checkJson}. */
export type CheckJsonOptions = Pick<ParseJsonOptions, "field" | "maxBytes" | "maxDepth">;

/**
 * A value that did not come from text, as the product keeps it: -0 becomes 0, as in text. Refuses, with INVALID_JSON, what it could not keep: too deep, NUL,
 * half surrogate pairs, NaN, infinities; with PAYLOAD_TOO_LARGE one whose JSON text has more than `maxBytes`.
 */
export function checkJson<Value extends Json>(
  value: Value,
  { field, maxBytes, maxDepth = MAX_JSON_DEPTH }: CheckJsonOptions,
): Value {
  checkDepth(value, maxDepth, field, maxDepth);
  const census = { keys: 0, size: 0, hasNegativeZero: false };
  checkValue(value, census, true, field);
  // Printing is what keeping it costs anyway; small values are seen to fit without it.
  if (maxBytes !== undefined && census.size > maxBytes) {
    const size = Buffer.byteLength(JSON.stringify(value));
    if (size > maxBytes) fail("PAYLOAD_TOO_LARGE", { field, size, limit: maxBytes });
  }
  return census.hasNegativeZero ? (dropNegativeZero(value) as Value) : value;
}

function dropNegativeZero(value: Json): Json {
  if (typeof value === "number") return Object.is(value, -0) ? 0 : value;
  if (Array.isArray(value)) return value.map(dropNegativeZero);
  if (typeof value !== "object" || value === null) return value;
  const copy: Record<string, Json> = {};
  // A plain assignment to __proto__ would replace the prototype.
  for (const [key, part] of Object.entries(value))
    Object.defineProperty(copy, key, {
      value: dropNegativeZero(part),
      enumerable: true,
      writable: true,
      configurable: true,
    });
  return copy;
}

function checkSize(text: string, { field, maxBytes }: ParseJsonOptions): string {
  if (maxBytes !== undefined && text.length * 3 > maxBytes) {
    const size = Buffer.byteLength(text);
    if (size > maxBytes) fail("PAYLOAD_TOO_LARGE", { field, size, limit: maxBytes });
  }
  return text;
}

function decode(bytes: Uint8Array, { field, maxBytes }: ParseJsonOptions): string {
  if (maxBytes !== undefined && bytes.length > maxBytes)
    fail("PAYLOAD_TOO_LARGE", { field, size: bytes.length, limit: maxBytes });
  if (!isUtf8(bytes)) fail("INVALID_JSON", { field, problem: "it is not UTF-8" });
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8");
}

function parseText(text: string, field: string, revive: Reviver | undefined): Json {
  try {
    return JSON.parse(text, revive);
  } catch (cause) {
    return fail("INVALID_JSON", { field, problem: placeOfFault(text, cause) }, { cause });
  }
}

/** Where a text stops being JSON. The engine's sentence holds the place, and is not ours to show. */
function placeOfFault(text: string, cause: unknown): string {
  const [, position] = /position (\d+)/.exec(String(cause)) ?? [];
  if (position === undefined || Number(position) >= text.length) return "it ends before it is complete";
  const before = text.slice(0, Number(position)).split("\n");
  const place = `line ${before.length}, column ${(before.at(-1)?.length ?? 0) + 1}`;
  return `${JSON.stringify(String.fromCodePoint(text.codePointAt(Number(position)) ?? 0))} is not expected at ${place}`;
}

type Reviver = (key: string, value: unknown, context?: { readonly source?: string }) => unknown;

/** Makes 0 of -0 and, when asked to, text of integers that a double cannot hold. */
function reviveNumber(asText: boolean): Reviver {
  return (_key, value, context) => {
    if (typeof value !== "number") return value;
    if (value === 0) return 0;
    const source = context?.source;
    return asText && source !== undefined && /^-?\d+$/.test(source) && !isFitNumber(source) ? source : value;
  };
}

/** What a look at a value counts: its keys, and an upper bound of the length of its JSON text. */
interface Census {
  keys: number;
  size: number;
  hasNegativeZero: boolean;
}

/** Most bytes of JSON for a value beside its characters, and for a character (an escape). */
const VALUE_BYTES = 26;
const CHARACTER_BYTES = 6;

/** Counts; looks at text only when asked to, since text without escapes from valid UTF-8 is well-formed. */
function checkValue(value: Json, census: Census, checksText: boolean, field: string): void {
  census.size += VALUE_BYTES;
  if (typeof value === "string") {
    census.size += value.length * CHARACTER_BYTES;
    if (checksText) checkText(value, field);
  } else if (typeof value === "number") {
    if (!Number.isFinite(value)) fail("INVALID_JSON", { field, problem: `it holds ${value}, which is no JSON number` });
    if (value === 0 && Object.is(value, -0)) census.hasNegativeZero = true;
  } else if (Array.isArray(value)) {
    for (const element of value) checkValue(element, census, checksText, field);
  } else if (typeof value === "object" && value !== null) {
    const keys = Object.keys(value);
    census.keys += keys.length;
    for (const key of keys) {
      census.size += key.length * CHARACTER_BYTES + 4;
      if (checksText) checkText(key, field);
      checkValue((value as Readonly<Record<string, Json>>)[key] as Json, census, checksText, field);
    }
  }
}

function checkText(text: string, field: string): void {
  if (text.includes("\u0000"))
    fail("INVALID_JSON", { field, problem: "text holds NUL (\\u0000), which cannot be stored" });
  if (!text.isWellFormed()) fail("INVALID_JSON", { field, problem: "text holds half of a surrogate pair" });
}

function checkDepth(value: Json, left: number, field: string, limit: number): void {
  if (typeof value !== "object" || value === null) return;
  if (left === 0) fail("INVALID_JSON", { field, problem: `it nests deeper than ${limit} levels` });
  for (const element of Object.values(value)) checkDepth(element as Json, left - 1, field, limit);
}

/** The first key that stands twice in one object; only called when there is one. */
function findTwice(text: string): string {
  const open: (Set<string> | null)[] = [];
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"(?:\s*:)?|[{}[\]]/g)) {
    if (token === "{") open.push(new Set());
    else if (token === "[") open.push(null);
    else if (token === "}" || token === "]") open.pop();
    else if (token.endsWith(":")) {
      const key = JSON.parse(token.slice(0, -1)) as string;
      const seen = open.at(-1);
      if (seen?.has(key)) return key;
      seen?.add(key);
    }
  }
  return "";
}

function shorten(text: string): string {
  return text.length > 160 ? `${text.slice(0, 157)}…` : text;
}
