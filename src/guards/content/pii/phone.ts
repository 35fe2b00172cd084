/** Telephone numbers in international form: `+`, a country code that exists, and the length that E.164 allows. */
import { type Codes, DIGIT, isWordAt, KINDS, PLUS } from "../codes.ts";
import type { FoundList } from "../found.ts";
import { numberAt } from "./checksums.ts";

/** Country codes of two digits; 1 and 7 have one, all others three. */
const TWO_DIGITS = new Set(
  "20 27 30 31 32 33 34 36 39 40 41 43 44 45 46 47 48 49 51 52 53 54 55 56 57 58 60 61 62 63 64 65 66 81 82 84 86 90 91 92 93 94 95 98"
    .split(" ")
    .map(Number),
);
/** First digits of those with three. */
const THREE_DIGITS = new Set(
  "21 22 23 24 25 26 29 35 37 38 42 50 59 67 68 69 85 87 88 96 97 99".split(" ").map(Number),
);

/** Longest number, with what separates its digits. */
const MAX_LENGTH = 32;

/** Adds the number that begins with the `+` at a place. */
export function findPhone(codes: Codes, plus: number, found: FoundList): void {
  const { bytes } = codes;
  if (KINDS[bytes[plus + 1] as number] !== DIGIT && bytes[plus + 1] !== 40) return;
  if (isWordAt(codes, plus - 1) || (plus > 0 && KINDS[bytes[plus - 1] as number] === PLUS)) return;
  let count = 0;
  let end = plus;
  let isOpen = false;
  for (let index = plus + 1; index - plus <= MAX_LENGTH; index++) {
    const code = bytes[index] as number;
    if (KINDS[code] === DIGIT) {
      count++;
      end = index + 1;
      continue;
    }
    if (code === 40 && !isOpen && count > 0) isOpen = true;
    else if (code === 41 && isOpen) isOpen = false;
    // One separator at a time, or one beside a parenthesis.
    else if (code !== 32 && code !== 45 && code !== 46 && code !== 47) break;
    else if (index - end > 1) break;
  }
  if (count < 9 || count > 15 || isWordAt(codes, end) || bytes[end] === 95) return;
  if (isNumber(bytes, plus, count)) found.push({ rule: "pii.phone", start: plus, end });
}

/** What the first digits demand. */
function isNumber(bytes: Uint8Array, start: number, length: number): boolean {
  const number = numberAt(bytes, start, length);
  const leading = (digits: number): number => Math.floor(number / 10 ** (length - digits));
  const first = leading(1);
  // North America: no area and no exchange begins with 0 or 1.
  if (first === 1) return length === 11 && leading(2) % 10 > 1 && leading(5) % 10 > 1;
  if (first === 7) return length === 11 && leading(2) % 10 > 2;
  // A round number, such as +30000000000, is a quantity.
  if (number % 1e6 === 0) return false;
  const two = leading(2);
  return TWO_DIGITS.has(two) || (THREE_DIGITS.has(two) && length >= 10);
}
