/** Escapes of JSON, JavaScript, C, and shells. */
import { DIGIT, KINDS, LETTER } from "../codes.ts";
import { hexAt, isHigh, isLow, joined, NO_POINT, NOTHING, numberTo, type Place } from "./place.ts";

const [NEWLINE, SPACE, ZERO, BACKSLASH, BRACE, CLOSE] = [10, 32, 48, 92, 123, 125];
const [U, LONG_U, X] = [117, 85, 120];

/** Letters behind a backslash, and what they stand for. */
const CONTROLS = Uint8Array.from({ length: 256 }, (_, code) =>
  [..."nrtvfb"].includes(String.fromCharCode(code)) ? 1 : 0,
);

/**
 * Reads what stands behind backslashes: `u0040`, `u{40}`, `U00000040`, `x40`, `x{40}`, `100`, a letter of a control, a
 * line that goes on, or a sign that stands for itself.
 */
export function readBackslash(bytes: Uint8Array, start: number, place: Place): number {
  const code = bytes[start] as number;
  const kind = KINDS[code];
  if (kind === DIGIT) return readOctal(bytes, start, place);
  if (kind !== LETTER) {
    place.end = start + 1;
    if (code === NEWLINE) return NOTHING;
    return code > SPACE && code < 127 ? code : NO_POINT;
  }
  if ((code === U || code === X) && bytes[start + 1] === BRACE) {
    const point = numberTo(bytes, start + 2, 16, place);
    return point < 0 || bytes[place.end++] !== CLOSE ? NO_POINT : point;
  }
  if (code === U) return readUnits(bytes, start, place);
  if (code === X || code === LONG_U) {
    const digits = code === X ? 2 : 8;
    const point = hexAt(bytes, start + 1, digits);
    place.end = start + 1 + digits;
    return point > 0x10ffff ? NO_POINT : point;
  }
  place.end = start + 1;
  return CONTROLS[code] === 1 ? NEWLINE : NO_POINT;
}

/** `u0040`, or both halves of a character, with any number of backslashes between them. */
function readUnits(bytes: Uint8Array, start: number, place: Place): number {
  const point = hexAt(bytes, start + 1, 4);
  if (point < 0) return NO_POINT;
  place.end = start + 5;
  if (!isHigh(point)) return point;
  let next = start + 5;
  while (next - start < 16 && bytes[next] === BACKSLASH) next++;
  const low = next > start + 5 && bytes[next] === U ? hexAt(bytes, next + 1, 4) : -1;
  if (!isLow(low)) return point;
  place.end = next + 5;
  return joined(point, low);
}

/** Two or three octal digits of a byte, the 0 of shells before them: one alone is a group of a pattern. */
function readOctal(bytes: Uint8Array, start: number, place: Place): number {
  let index = start;
  if (bytes[index] === ZERO) index++;
  const first = index;
  let value = 0;
  while (index - first < 3) {
    const digit = (bytes[index] as number) - ZERO;
    if (digit >>> 0 > 7 || value * 8 + digit > 255) break;
    value = value * 8 + digit;
    index++;
  }
  place.end = index;
  return index - first < 2 ? NO_POINT : value;
}
