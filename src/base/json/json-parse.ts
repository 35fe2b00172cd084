import { isUtf8 } from "node:buffer";
import { fail } from "../errors.ts";
import type { Json, JsonObject } from "./json.ts";
import { findFault } from "./json-fault.ts";
import type { JsonGuard } from "./json-guard.ts";
import { isFitNumber, type JsonScan, scanJson } from "./json-scan.ts";

/**
 * Maximum nesting depth of JSON from outside. Deeper values can be parsed but crash code that prints or clones them
 * later.
 */
export const MAX_JSON_DEPTH = 64;

/** Limits and error wording of {@link parseJson}. */
export interface ParseJsonOptions {
  /** Name of the text in error messages: `input_json`. */
  readonly field: string;
  /** Maximum length in bytes of UTF-8; unlimited when absent. */
  readonly maxBytes?: number;
  /** Maximum nesting depth; {@link MAX_JSON_DEPTH} when absent. */
  readonly maxDepth?: number;
  /**
   * Integers that a double cannot represent: refused (default), or, for answers of tools, kept as decimal text or as
   * the nearest double.
   */
  readonly largeIntegers?: "refuse" | "text" | "number";
  /** NUL and unpaired surrogates: refused (default), or left to a later check that knows the field. */
  readonly badText?: "refuse" | "leave";
  /** Checks the keys and elements before anything is parsed; its exceptions are passed through. */
  readonly guard?: JsonGuard;
}

/**
 * Parses JSON from outside. Refused with INVALID_JSON: text that is not JSON or not UTF-8, NUL and unpaired surrogates
 * (the store cannot hold them), duplicate keys, numbers that a double cannot represent, and excessive nesting. Refused
 * with PAYLOAD_TOO_LARGE: more than `maxBytes`. -0 becomes 0, because the store does not distinguish them. A byte order
 * mark before the text is ignored (RFC 8259, 8.1). `__proto__` is an ordinary own key of the result; code that copies
 * objects must not assign it.
 */
export function parseJson(source: string | Uint8Array, options: ParseJsonOptions): Json {
  const text = withoutMark(typeof source === "string" ? checkSize(source, options) : decode(source, options));
  const scan = scanJson(text, options.guard);
  const { field, maxDepth = MAX_JSON_DEPTH, largeIntegers = "refuse" } = options;
  if (scan.depth > maxDepth)
    fail("INVALID_JSON", { field, problem: `it nests ${scan.depth} levels deep; the limit is ${maxDepth}` });
  const refused = refusedNumber(scan, largeIntegers);
  if (refused !== undefined)
    fail("INVALID_JSON", {
      field,
      problem: `the number ${shorten(refused)} does not fit a double without changing; send it as text, in quotes`,
    });
  const asText = largeIntegers === "text" && scan.unfitInteger !== undefined;
  const value = parseText(text, field, asText ? reviveLargeInteger : undefined);
  const mayHoldBadText = scan.hasUnicodeEscape || typeof source === "string";
  const census = startCensus(field, mayHoldBadText && options.badText !== "leave", maxDepth);
  checkValue(value, census, maxDepth);
  if (census.keys !== scan.keys)
    fail("INVALID_JSON", { field, problem: `${findTwice(text) || "a key"} appears twice in one object` });
  return census.hasNegativeZero ? dropNegativeZero(value) : value;
}

/** Returns the first number that is not allowed in a text. */
function refusedNumber(
  { unfitInteger, hugeInteger, hugeNumber }: JsonScan,
  largeIntegers: "refuse" | "text" | "number",
): string | undefined {
  const integer = { refuse: unfitInteger, text: undefined, number: hugeInteger }[largeIntegers];
  return integer ?? hugeNumber;
}

/** Limits and error wording of {@link checkJson}. */
export type CheckJsonOptions = Pick<ParseJsonOptions, "field" | "maxBytes" | "maxDepth">;

/**
 * Returns a value that did not come from text in the form that the product stores: -0 becomes 0, as in text. Refuses
 * with INVALID_JSON what cannot be stored: excessive nesting, NUL, unpaired surrogates, NaN, infinities. Refuses with
 * PAYLOAD_TOO_LARGE a value whose JSON text has more than `maxBytes`.
 */
export function checkJson<Value extends Json>(
  value: Value,
  { field, maxBytes, maxDepth = MAX_JSON_DEPTH }: CheckJsonOptions,
): Value {
  const census = startCensus(field, true, maxDepth);
  checkValue(value, census, maxDepth);
  // Storing the value prints it anyway; small values are known to fit without printing.
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

function withoutMark(text: string): string {
  return text.startsWith("\ufeff") ? text.slice(1) : text;
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
    return fail("INVALID_JSON", { field, problem: placeOfFault(text) }, { cause });
  }
}

/**
 * Describes where a text stops being JSON. The JavaScript engine's message contains the position of only some faults.
 */
function placeOfFault(text: string): string {
  const position = findFault(text);
  const code = text.codePointAt(position);
  if (code === undefined) return "it ends before it is complete";
  return `${showCharacter(code)} is not expected at ${placeOf(text, position)}`;
}

/** Returns a character in quotation marks, or the code point of an invisible one. */
function showCharacter(code: number): string {
  const character = String.fromCodePoint(code);
  if (!/[\p{C}\p{Z}]/u.test(character) || character === " ") return JSON.stringify(character);
  return `U+${code.toString(16).toUpperCase().padStart(4, "0")}`;
}

function placeOf(text: string, position: number): string {
  let line = 1;
  let start = 0;
  for (let at = text.indexOf("\n"); at >= 0 && at < position; at = text.indexOf("\n", start)) {
    line += 1;
    start = at + 1;
  }
  return `line ${line}, column ${position - start + 1}`;
}

type Reviver = (key: string, value: unknown, context?: { readonly source?: string }) => unknown;

/** Converts integers that a double cannot represent to text. */
function reviveLargeInteger(_key: string, value: unknown, context?: { readonly source?: string }): unknown {
  const source = typeof value === "number" ? context?.source : undefined;
  return source !== undefined && /^-?\d+$/.test(source) && !isFitNumber(source) ? source : value;
}

/** A pass over a value: its rules, and its counters. */
interface Census {
  readonly field: string;
  /** Text without escapes from valid UTF-8 is well-formed and needs no check. */
  readonly checksText: boolean;
  readonly maxDepth: number;
  keys: number;
  /** Upper bound of the length of the JSON text. */
  size: number;
  hasNegativeZero: boolean;
}

function startCensus(field: string, checksText: boolean, maxDepth: number): Census {
  return { field, checksText, maxDepth, keys: 0, size: 0, hasNegativeZero: false };
}

/** Maximum bytes of JSON for a value beside its characters, and for a character (an escape). */
const VALUE_BYTES = 26;
const CHARACTER_BYTES = 6;

function checkValue(value: Json, census: Census, levels: number): void {
  census.size += VALUE_BYTES;
  if (typeof value === "string") {
    census.size += value.length * CHARACTER_BYTES;
    if (census.checksText) checkText(value, census.field);
  } else if (typeof value === "number") {
    if (!Number.isFinite(value))
      fail("INVALID_JSON", { field: census.field, problem: `it holds ${value}, which is no JSON number` });
    if (value === 0 && Object.is(value, -0)) census.hasNegativeZero = true;
  } else if (typeof value === "object" && value !== null) {
    if (levels === 0)
      fail("INVALID_JSON", { field: census.field, problem: `it nests deeper than ${census.maxDepth} levels` });
    if (Array.isArray(value)) for (const element of value) checkValue(element, census, levels - 1);
    else checkObject(value as JsonObject, census, levels - 1);
  }
}

function checkObject(object: JsonObject, census: Census, levels: number): void {
  const keys = Object.keys(object);
  census.keys += keys.length;
  for (const key of keys) {
    census.size += key.length * CHARACTER_BYTES + 4;
    if (census.checksText) checkText(key, census.field);
    checkValue(object[key] as Json, census, levels);
  }
}

function checkText(text: string, field: string): void {
  if (text.includes("\u0000"))
    fail("INVALID_JSON", { field, problem: "text holds NUL (\\u0000), which cannot be stored" });
  if (!text.isWellFormed()) fail("INVALID_JSON", { field, problem: "text contains half of a surrogate pair" });
}

/**
 * Finds a key that occurs twice in one object; only called when there is one. Keys after {@link MAX_TWICE_CHARACTERS}
 * are not searched.
 */
function findTwice(text: string): string {
  const open: (Set<string> | null)[] = [];
  // A text that is cut off in the end matches, too: otherwise it would be read again from each quote in it.
  const tokens = /"(?:[^"\\]|\\.)*(?:"(\s*:)?)?|[{}[\]]/gs;
  for (const [token, colon] of text.slice(0, MAX_TWICE_CHARACTERS).matchAll(tokens)) {
    if (token === "{") open.push(new Set());
    else if (token === "[") open.push(null);
    else if (token === "}" || token === "]") open.pop();
    else if (colon !== undefined) {
      const key = JSON.parse(token.slice(0, -colon.length)) as string;
      const seen = open.at(-1);
      if (seen?.has(key)) return `the key ${JSON.stringify(shorten(key))}`;
      seen?.add(key);
    }
  }
  return "";
}

/**
 * How much of a text is searched for a duplicate key. The key is known to exist; the search takes five times as long as
 * the parser.
 */
const MAX_TWICE_CHARACTERS = 262_144;

function shorten(text: string): string {
  return text.length > 160 ? `${text.slice(0, 157)}…` : text;
}
