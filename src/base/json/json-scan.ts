import { type JsonGuard, JsonGuards } from "./json-guard.ts";

/**
 * What a scan of JSON text learns before parsing. One pass, no copies: it is on the path of every request that carries
 * JSON.
 */
export interface JsonScan {
  /** Maximum nesting depth of lists and objects. */
  readonly depth: number;
  /** Total number of keys of all objects. */
  readonly keys: number;
  /** Whether the text contains `\u` escapes, which can produce NUL and unpaired surrogates. */
  readonly hasUnicodeEscape: boolean;
  /** First integer that would print as a different one (`9007199254740993`), as written; undefined when all fit. */
  readonly unfitInteger: string | undefined;
  /** First integer that exceeds the range of a double. */
  readonly hugeInteger: string | undefined;
  /** First number with a fraction or an exponent that exceeds the range of a double (`1e400`). */
  readonly hugeNumber: string | undefined;
}

const INTEGER = /^-?\d+$/;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const LOWER_U = 0x75;
const COLON = 0x3a;
const COMMA = 0x2c;
const MINUS = 0x2d;
const ZERO = 0x30;
const NINE = 0x39;

/**
 * Scans JSON text. It does not validate the grammar; for text that is not JSON the counts are meaningless. Passes
 * through the exceptions of `guard`, which sees the objects and lists of the text from its root down.
 */
export function scanJson(text: string, guard: JsonGuard | null = null): JsonScan {
  const { length } = text;
  const guards = guard === null ? null : new JsonGuards(text, guard);
  let depth = 0;
  let deepest = 0;
  let keys = 0;
  let hasUnicodeEscape = false;
  let unfitInteger: string | undefined;
  let hugeInteger: string | undefined;
  let hugeNumber: string | undefined;
  // Positions of the next backslash and quote. Each is searched for only after the last one is passed: a search per
  // string, or per escape, is quadratic.
  let backslash = nextPosition(text, "\\", 0);
  let quote = -1;
  let at = 0;
  while (at < length) {
    const code = text.charCodeAt(at++);
    if (code === QUOTE) {
      const start = at;
      for (;;) {
        if (quote < at) quote = nextPosition(text, '"', at);
        if (backslash > quote || quote > length) {
          at = quote + 1;
          break;
        }
        // The string contains escapes: skip them, then search for its end again.
        at = backslash;
        while (text.charCodeAt(at) === BACKSLASH) {
          if (text.charCodeAt(at + 1) === LOWER_U) hasUnicodeEscape = true;
          at += 2;
        }
        backslash = nextPosition(text, "\\", at);
      }
      guards?.text(start, at - 1);
    } else if (code === 0x7b || code === 0x5b) {
      if (++depth > deepest) deepest = depth;
      guards?.open(code === 0x5b);
    } else if (code === 0x7d || code === 0x5d) {
      depth--;
      guards?.close();
    } else if (code === COLON) {
      keys++;
      guards?.colon();
    } else if (code === COMMA) guards?.comma();
    else if ((code >= ZERO && code <= NINE) || code === MINUS) {
      const start = at - 1;
      while (at < length && isNumberPart(text.charCodeAt(at))) at++;
      if (!fitsDouble(text, start, at)) {
        const number = text.slice(start, at);
        const isInteger = INTEGER.test(number);
        if (isInteger) unfitInteger ??= number;
        else hugeNumber ??= number;
        if (isInteger && hugeInteger === undefined && !Number.isFinite(Number(number))) hugeInteger = number;
      }
    }
  }
  return { depth: deepest, keys, hasUnicodeEscape, unfitInteger, hugeInteger, hugeNumber };
}

/** Maximum length of an integer that can still print as written: a double prints larger ones with an exponent. */
const MAX_INTEGER_CHARACTERS = 32;

/**
 * Returns whether a number as written keeps its value: it is finite, and an integer prints as the same integer. Above
 * 2^53 the shortest print counts, not the double: 1152921504606846976 is a double, but JSON prints that double as
 * 1152921504606847000. A fraction or an exponent means that a double is intended.
 */
export function isFitNumber(token: string): boolean {
  const value = Number(token);
  if (!Number.isFinite(value)) return false;
  if (Number.isSafeInteger(value) || String(value) === token) return true;
  if (!/^(-?\d+|0x[\da-f]+|0o[0-7]+)$/i.test(token)) return true;
  return token.length <= MAX_INTEGER_CHARACTERS && String(BigInt(token)) === String(value);
}

/** Applies the same rule to a computed integer: whether its JSON text reads back unchanged. */
export function isFitInteger(value: bigint): boolean {
  return isFitNumber(String(value));
}

function nextPosition(text: string, character: string, from: number): number {
  const position = text.indexOf(character, from);
  return position < 0 ? Number.POSITIVE_INFINITY : position;
}

function isNumberPart(code: number): boolean {
  return (
    (code >= ZERO && code <= NINE) || code === 0x2e || code === 0x65 || code === 0x45 || code === 0x2b || code === MINUS
  );
}

function fitsDouble(text: string, start: number, end: number): boolean {
  if (end - start < 16) {
    for (let at = start; at < end; at++)
      if ((text.charCodeAt(at) | 0x20) === 0x65) return isFitNumber(text.slice(start, end));
    return true;
  }
  return isFitNumber(text.slice(start, end));
}
