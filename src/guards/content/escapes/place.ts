/** What the readers of escapes share. A reader returns a code point, and sets where the escape ends. */

/** Where an escape ends. */
export interface Place {
  end: number;
}

/** No escape stands there. */
export const NO_POINT = -1;

/** An escape that stands for nothing: a line that goes on. */
export const NOTHING = -2;

/** Value of each hexadecimal digit; -1: it is none. */
const HEX = Int8Array.from({ length: 256 }, (_, code) => {
  const value = Number.parseInt(String.fromCharCode(code), 16);
  return Number.isNaN(value) ? -1 : value;
});

/** Value of so many hexadecimal digits; -1: there are others. */
export function hexAt(bytes: Uint8Array, start: number, digits: number): number {
  let value = 0;
  for (let index = start; index < start + digits; index++) {
    const digit = HEX[bytes[index] as number] as number;
    // Behind the text, too.
    if (!(digit >= 0)) return -1;
    value = value * 16 + digit;
  }
  return value;
}

/** Most digits that are read where any number may stand, leading zeros included. */
const MAX_DIGITS = 32;

/** Reads digits of a base from a place on, and sets their end; -1: there are none, or it is no code point. */
export function numberTo(bytes: Uint8Array, start: number, base: number, place: Place): number {
  let value = 0;
  let index = start;
  while (index - start < MAX_DIGITS && value <= 0x10ffff) {
    const digit = HEX[bytes[index] as number] as number;
    if (!(digit >= 0 && digit < base)) break;
    value = value * base + digit;
    index++;
  }
  place.end = index;
  return index === start || value > 0x10ffff ? -1 : value;
}

/** The code point of a high surrogate and the low one behind it, which `low` is; the high one where it is none. */
export function joined(high: number, low: number): number {
  return 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
}

/** Whether a value is the first or the second half of a code point. */
export const isHigh = (value: number): boolean => value >>> 10 === 0x36;
export const isLow = (value: number): boolean => value >>> 10 === 0x37;
