/** Identifiers that begin with letters: IBAN, codice fiscale, NIE. Each is tried where a word of its length ends. */
import { type Codes, DIGIT, isWordAt, KINDS, LETTER } from "../codes.ts";
import type { FoundList } from "../found.ts";
import { dniLetter } from "./checksums.ts";

/** Length of an IBAN by country. */
const IBAN_LENGTHS: Readonly<Record<string, number>> = Object.fromEntries(
  (
    "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DK18 DO28 EE20 EG29 ES24 FI18 FO18 " +
    "FR27 GB22 GE22 GI23 GL18 GR27 GT28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20 LU20 LV21 " +
    "LY25 MC27 MD24 ME22 MK19 MR27 MT31 MU30 NL18 NO15 PK24 PL28 PS29 PT25 QA29 RO24 RS22 SA24 SC31 SE24 SI19 SK24 SM27 " +
    "ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20"
  )
    .split(" ")
    .map((entry) => [entry.slice(0, 2), Number(entry.slice(2))]),
);

/**
 * Tries what may begin with the word from `start` to `end`, behind which there is a digit. Returns the end of what was
 * found, else `end`.
 */
export function findLettersFirst(codes: Codes, start: number, end: number, found: FoundList): number {
  if (isWordAt(codes, start - 1)) return end;
  const read = end - start === 2 ? readIban : end - start === 6 ? readCodice : end - start === 1 ? readNie : null;
  const last = read?.(codes, start) ?? 0;
  if (last === 0 || isWordAt(codes, last)) return end;
  found.push({ rule: end - start === 2 ? "pii.iban" : "pii.national_id", start, end: last });
  return last;
}

/** Lengths by the two letters of a country in any case; 0: it has no IBAN. */
const LENGTHS = new Uint8Array(1_024);
for (const [country, length] of Object.entries(IBAN_LENGTHS))
  LENGTHS[countryOf(country.charCodeAt(0), country.charCodeAt(1))] = length;

function countryOf(first: number, second: number): number {
  return ((first & 31) << 5) | (second & 31);
}

/** 0 to 9, letters in any case from 10 on; -1: neither. */
const VALUES = Int8Array.from({ length: 256 }, (_, code) => {
  if (code >= 48 && code <= 57) return code - 48;
  const upper = code & 0xdf;
  return code < 128 && upper >= 65 && upper <= 90 ? upper - 55 : -1;
});

/** End of an IBAN, written together or in groups of four; 0: it is none. */
function readIban({ bytes }: Codes, start: number): number {
  const length = LENGTHS[countryOf(bytes[start] as number, bytes[start + 1] as number)] as number;
  if (length === 0) return 0;
  if (KINDS[bytes[start + 2] as number] !== DIGIT || KINDS[bytes[start + 3] as number] !== DIGIT) return 0;
  let index = start + 4;
  let remainder = 0;
  for (let left = length - 4; left > 0; left -= 4) {
    if (bytes[index] === 32) index++;
    const end = index + Math.min(left, 4);
    while (index < end) {
      const value = VALUES[bytes[index++] as number] as number;
      if (value < 0) return 0;
      remainder = remainder * (value > 9 ? 100 : 10) + value;
    }
    // Four letters more stay below 2^31.
    if (remainder > 20) remainder %= 97;
  }
  for (let place = start; place < start + 4; place++) {
    const value = VALUES[bytes[place] as number] as number;
    remainder = (remainder * (value > 9 ? 100 : 10) + value) % 97;
  }
  return remainder === 1 ? index : 0;
}

/** Values of the characters at odd places of a codice fiscale, digits and letters alike. */
const ODD_VALUES = [1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23];

const CODICE_SHAPE = "LLLLLLDDLDDLDDDL";

function readCodice({ bytes }: Codes, start: number): number {
  let sum = 0;
  for (let index = 0; index < 16; index++) {
    const value = VALUES[bytes[start + index] as number] as number;
    const isLetter = value >= 10;
    if (value < 0 || isLetter !== (CODICE_SHAPE[index] === "L")) return 0;
    const order = isLetter ? value - 10 : value;
    if (index === 15) return sum % 26 === order ? start + 16 : 0;
    sum += index % 2 === 0 ? (ODD_VALUES[order] as number) : order;
  }
  return 0;
}

/** X, Y, or Z, seven digits, and the letter of a DNI. */
function readNie({ bytes }: Codes, start: number): number {
  const series = ((bytes[start] as number) & 0xdf) - 88;
  if (series < 0 || series > 2) return 0;
  let number = series;
  for (let index = 1; index <= 7; index++) {
    if (KINDS[bytes[start + index] as number] !== DIGIT) return 0;
    number = number * 10 + (bytes[start + index] as number) - 48;
  }
  const letter = bytes[start + 8] as number;
  if (KINDS[letter] !== LETTER) return 0;
  return String.fromCharCode(letter).toUpperCase() === dniLetter(number) ? start + 9 : 0;
}
