/**
 * Text by code points, on top of strings that count UTF-16 units. A lone surrogate counts as one. Running times are
 * linear in the text.
 */

const SURROGATES = /[\ud800-\udbff][\udc00-\udfff]/;

/** Number of code points in a text. */
export function lengthOf(text: string): number {
  return positionOf(text, text.length);
}

/** Offset of the code point at a position. */
export function offsetOf(text: string, position: number): number {
  if (!SURROGATES.test(text)) return position;
  let offset = 0;
  for (let left = position; left > 0 && offset < text.length; left--) offset += isPair(text, offset) ? 2 : 1;
  return offset;
}

/** Position, in code points, of an offset; -1 for -1. */
export function positionOf(text: string, offset: number): number {
  if (offset <= 0 || !SURROGATES.test(text)) return offset;
  let position = 0;
  for (let at = 0; at < offset; at += isPair(text, at) ? 2 : 1) position++;
  return position;
}

/** The code points of a text, each as a string. */
export function toPoints(text: string): string[] {
  return Array.from(text);
}

function isPair(text: string, at: number): boolean {
  return (text.codePointAt(at) as number) > 0xffff;
}

/** Up to this length of the part, the built-in search takes time proportional to the text. */
const SHORT = 32;

/**
 * Offset of the first occurrence of `part` from `start` on; -1 if there is none. Time is at most proportional to both
 * lengths.
 */
export function findText(text: string, part: string, start: number): number {
  if (part.length <= SHORT) return text.indexOf(part, start);
  if (part.length > text.length - start) return -1;
  return search(text, part, start, false);
}

/**
 * Offset of the last occurrence of `part` that starts at or before `limit`; -1 if there is none. As fast as
 * {@link findText}.
 */
export function findLastText(text: string, part: string, limit: number): number {
  if (part.length <= SHORT) return text.lastIndexOf(part, limit);
  return search(text.slice(0, limit + part.length), part, 0, true);
}

function search(text: string, part: string, start: number, isLast: boolean): number {
  const borders = bordersOf(part);
  let found = -1;
  let matched = 0;
  for (let at = start; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    while (matched > 0 && unit !== part.charCodeAt(matched)) matched = borders[matched - 1] as number;
    if (unit === part.charCodeAt(matched)) matched++;
    if (matched < part.length) continue;
    found = at - part.length + 1;
    if (!isLast) return found;
    matched = borders[matched - 1] as number;
  }
  return found;
}

let lastPart = "";
let lastBorders = new Int32Array(0);

/** For every prefix of `part`, the length of its longest proper suffix that is also a prefix (Knuth, Morris, Pratt). */
function bordersOf(part: string): Int32Array {
  if (part === lastPart) return lastBorders;
  const borders = new Int32Array(part.length);
  for (let at = 1, border = 0; at < part.length; at++) {
    while (border > 0 && part.charCodeAt(at) !== part.charCodeAt(border)) border = borders[border - 1] as number;
    if (part.charCodeAt(at) === part.charCodeAt(border)) border++;
    borders[at] = border;
  }
  lastPart = part;
  lastBorders = borders;
  return borders;
}
