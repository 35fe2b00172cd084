/**
 * Check digits of numbers that identify people and accounts. All read digits from a place on, and pass over what
 * separates them; the caller has made sure that there are enough.
 */
import { DIGIT, KINDS } from "../codes.ts";

const isDigit = (code: number): boolean => KINDS[code] === DIGIT;

/** Twice a digit, its own digits added. */
export const DOUBLED = [0, 2, 4, 6, 8, 1, 3, 5, 7, 9];

/** Luhn over the last `count` digits before `end`: cards, Swedish numbers. */
export function passesLuhn(bytes: Uint8Array, end: number, count: number): boolean {
  let sum = 0;
  let index = end - 1;
  for (let left = count; left > 0; index--) {
    const digit = (bytes[index] as number) - 48;
    if (digit < 0) continue;
    sum += ((count - left) & 1) === 1 ? (DOUBLED[digit] as number) : digit;
    left--;
  }
  return sum % 10 === 0;
}

/** The next `count` digits as a number, at most 15. */
export function numberAt(bytes: Uint8Array, start: number, count: number): number {
  let number = 0;
  let index = start;
  for (let taken = 0; taken < count; index++) {
    const digit = (bytes[index] as number) - 48;
    // What separates digits comes before them.
    if (digit < 0) continue;
    number = number * 10 + digit;
    taken++;
  }
  return number;
}

/** Whether month and day can be those of a date. */
export function isDate(month: number, day: number): boolean {
  return month >= 1 && month <= 12 && day >= 1 && day <= 31;
}

/** Brazilian CPF: two check digits mod 11; eleven equal digits pass and are nobody's. */
export function isCpf(bytes: Uint8Array, start: number): boolean {
  let first = 0;
  let second = 0;
  let equal = 0;
  let index = start;
  for (let taken = 0; taken < 9; index++) {
    const code = bytes[index] as number;
    if (!isDigit(code)) continue;
    first += (code - 48) * (10 - taken);
    second += (code - 48) * (11 - taken);
    if (code === bytes[start]) equal++;
    taken++;
  }
  const checks = numberAt(bytes, index, 2);
  const check = ((first * 10) % 11) % 10;
  return equal < 9 && checks === check * 10 + ((((second + check * 2) * 10) % 11) % 10);
}

const RESIDENT_WEIGHTS = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];

/** The check character of a Chinese resident id, whose date must be possible; empty: it is none. */
export function residentCheck(bytes: Uint8Array, start: number): string {
  const century = numberAt(bytes, start + 6, 2);
  if (century < 19 || century > 20) return "";
  if (!isDate(numberAt(bytes, start + 10, 2), numberAt(bytes, start + 12, 2))) return "";
  let sum = 0;
  for (let index = 0; index < 17; index++)
    sum += ((bytes[start + index] as number) - 48) * (RESIDENT_WEIGHTS[index] as number);
  return "10X98765432"[sum % 11] as string;
}

/** French NIR of 15 digits: sex, month, and the key mod 97. */
export function isNir(bytes: Uint8Array, start: number): boolean {
  const head = numberAt(bytes, start, 13);
  const sex = Math.floor(head / 1e12);
  const month = Math.floor(head / 1e8) % 100;
  if (sex < 1 || sex > 2 || !((month >= 1 && month <= 12) || (month >= 20 && month <= 42))) return false;
  return numberAt(bytes, start, 15) % 100 === 97 - (head % 97);
}

/** Letter of a Spanish DNI or NIE. */
export function dniLetter(number: number): string {
  return "TRWAGMYFPDXBNJZSQVHLCKE"[number % 23] as string;
}

/** Check character of a Finnish HETU. */
export function hetuCharacter(number: number): string {
  return "0123456789ABCDEFHJKLMNPRSTUVWXY"[number % 31] as string;
}
