/** Escapes of URLs and of quoted-printable mail: a sign and the digits of a byte. */
import { hexAt, isHigh, isLow, joined, NO_POINT, NOTHING, type Place } from "./place.ts";

const [NEWLINE, RETURN, PERCENT, EQUALS] = [10, 13, 37, 61];

/** Reads `%40`, the bytes of a character in UTF-8, or `%u0040`. */
export function readPercent(bytes: Uint8Array, start: number, place: Place): number {
  if (((bytes[start + 1] as number) | 32) !== 117) return readBytes(bytes, start, PERCENT, place);
  const point = hexAt(bytes, start + 2, 4);
  if (point < 0) return NO_POINT;
  place.end = start + 6;
  if (!isHigh(point) || bytes[start + 6] !== PERCENT || ((bytes[start + 7] as number) | 32) !== 117) return point;
  const low = hexAt(bytes, start + 8, 4);
  if (!isLow(low)) return point;
  place.end = start + 12;
  return joined(point, low);
}

/** Reads `=40`, the bytes of a character in UTF-8, or the end of a line that goes on. */
export function readQuoted(bytes: Uint8Array, start: number, place: Place): number {
  const next = bytes[start + 1] as number;
  if (next === NEWLINE || (next === RETURN && bytes[start + 2] === NEWLINE)) {
    place.end = start + (next === NEWLINE ? 2 : 3);
    return NOTHING;
  }
  return readBytes(bytes, start, EQUALS, place);
}

/** Bytes that are no UTF-8 are read as Latin 1. */
function readBytes(bytes: Uint8Array, start: number, sign: number, place: Place): number {
  const lead = hexAt(bytes, start + 1, 2);
  if (lead < 0) return NO_POINT;
  place.end = start + 3;
  if (lead < 0xc2 || lead > 0xf4) return lead;
  const more = lead < 0xe0 ? 1 : lead < 0xf0 ? 2 : 3;
  let point = lead & (0x3f >> more);
  let end = start + 3;
  for (let byte = 0; byte < more; byte++, end += 3) {
    const next = bytes[end] === sign ? hexAt(bytes, end + 1, 2) : -1;
    if (next >>> 6 !== 2) return lead;
    point = point * 64 + (next & 0x3f);
  }
  if (point > 0x10ffff) return lead;
  place.end = end;
  return point;
}
