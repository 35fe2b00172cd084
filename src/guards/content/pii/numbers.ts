/**
 * Numbers that identify people: groups of digits, joined by single spaces, dots, or dashes. Each rule looks at the
 * sizes of the next few groups first, and computes check digits only where they fit.
 */
import { type Codes, DIGIT, isWordAt, KINDS } from "../codes.ts";
import type { FoundList } from "../found.ts";
import {
  DOUBLED,
  dniLetter,
  hetuCharacter,
  isCpf,
  isDate,
  isNir,
  numberAt,
  passesLuhn,
  residentCheck,
} from "./checksums.ts";

const [SPACE, DASH, DOT, SLASH] = [32, 45, 46, 47];

/** Sizes of groups. */
const AMEX = [4, 6, 5];
const DINERS = [4, 6, 4];
const SSN = [3, 2, 4];
const CPF = [3, 3, 3, 2];
const CPF_SIGNS = [DOT, DOT, DASH];
const NIR = [1, 2, 2, 2, 3, 3, 2];

/** Adds the number that begins with the group of digits at a place. Returns the end of what it has read. */
export function findNumber(codes: Codes, start: number, withIp: boolean, found: FoundList): number {
  const { bytes } = codes;
  let end = start + 1;
  while (KINDS[bytes[end] as number] === DIGIT) end++;
  const size = end - start;
  // Most numbers of a text are short and alone.
  if (size === 2 && !withIp) return end;
  if (size < 6) {
    const sign = bytes[end] as number;
    if ((sign !== SPACE && sign !== DASH && sign !== DOT) || KINDS[bytes[end + 1] as number] !== DIGIT) return end;
    // The number that begins with one digit goes on with two.
    if (size === 1 && !withIp && KINDS[bytes[end + 2] as number] !== DIGIT) return end;
  }
  if (size === 4) {
    const card = readGroupedCard(codes, start);
    return card > 0 ? add("pii.card", start, card, found) : end;
  }
  if (size >= 13 && size <= 19) {
    const card = readCard(codes, start, end);
    if (card > 0) return add("pii.card", start, card, found);
  } else if (size === 3) {
    const ssn = readGroups(codes, start, SSN);
    if (ssn > 0 && isSsn(bytes, start)) return add("pii.us_ssn", start, ssn, found);
  }
  const id = readNationalId(codes, start, end);
  if (id > 0) return add("pii.national_id", start, id, found);
  const address = withIp && size <= 3 ? readAddress(codes, start) : 0;
  return address > 0 ? add("pii.ip", start, address, found) : end;
}

function add(
  rule: "pii.card" | "pii.us_ssn" | "pii.national_id" | "pii.ip",
  start: number,
  end: number,
  found: FoundList,
): number {
  found.push({ rule, start, end });
  return end;
}

/** End of a card that is written in groups, the first of which has four digits; 0: it is none. */
function readGroupedCard(codes: Codes, start: number): number {
  const { bytes } = codes;
  const first = bytes[start] as number;
  // No issuer begins with another digit. The second group has four digits or six: that of a date has two.
  if (first < 50 || first > 54 || KINDS[bytes[start + 8] as number] !== DIGIT) return 0;
  if (KINDS[bytes[start + 9] as number] !== DIGIT) return readFourFours(codes, start);
  const end = readGroups(codes, start, AMEX) || readGroups(codes, start, DINERS);
  return end > 0 && isCard(bytes, start, end, end - start - 2) ? end : 0;
}

/** The usual sixteen digits: groups and Luhn in one go, since in a table of numbers every group begins them. */
function readFourFours(codes: Codes, start: number): number {
  const { bytes } = codes;
  const sign = bytes[start + 4] as number;
  if (sign !== SPACE && sign !== DASH) return 0;
  let sum = 0;
  for (let group = start; group < start + 20; group += 5) {
    if (group > start && bytes[group - 1] !== sign) return 0;
    for (let index = group; index < group + 4; index += 2) {
      const doubled = (bytes[index] as number) - 48;
      const single = (bytes[index + 1] as number) - 48;
      if (doubled >>> 0 > 9 || single >>> 0 > 9) return 0;
      sum += (DOUBLED[doubled] as number) + single;
    }
  }
  const end = start + 19;
  return sum % 10 === 0 && isAlone(codes, start, end, SLASH) && isIssued(bytes, start, 16) ? end : 0;
}

function readCard(codes: Codes, start: number, end: number): number {
  return isAlone(codes, start, end, SLASH) && isCard(codes.bytes, start, end, end - start) ? end : 0;
}

const letterAt = (bytes: Uint8Array, index: number): string => String.fromCharCode((bytes[index] as number) & 0xdf);

/** End of a national id that begins with this group; 0: none does. */
function readNationalId(codes: Codes, start: number, end: number): number {
  const { bytes } = codes;
  switch (end - start) {
    case 1: {
      const last = (bytes[start] as number) <= 50 ? readGroups(codes, start, NIR) : 0;
      return last > 0 && isNir(bytes, start) ? last : 0;
    }
    case 3: {
      const last = readGroups(codes, start, CPF, CPF_SIGNS);
      return last > 0 && isCpf(bytes, start) ? last : 0;
    }
    case 6:
      return readPersonnummer(codes, start, end) || readHetu(codes, start);
    case 8:
      if (KINDS[bytes[end] as number] === 1 && isAlone(codes, start, end + 1))
        return letterAt(bytes, end) === dniLetter(numberAt(bytes, start, 8)) ? end + 1 : 0;
      return readPersonnummer(codes, start, end);
    case 15:
      return isAlone(codes, start, end) && isNir(bytes, start) ? end : 0;
    case 17:
      return letterAt(bytes, end) === "X" && isAlone(codes, start, end + 1) && residentCheck(bytes, start) === "X"
        ? end + 1
        : 0;
    case 18:
      return isAlone(codes, start, end) && residentCheck(bytes, start) === String((bytes[end - 1] as number) - 48)
        ? end
        : 0;
    default:
      return 0;
  }
}

/**
 * End of groups of these sizes, joined as `signs` say, or all by the same space or dash; 0: they do not stand here, or
 * something is attached to them.
 */
function readGroups(codes: Codes, start: number, sizes: readonly number[], signs?: readonly number[]): number {
  const { bytes } = codes;
  let index = start;
  let usual = 0;
  for (let group = 0; group < sizes.length; group++) {
    if (group > 0) {
      const sign = bytes[index++] as number;
      if (signs !== undefined ? sign !== signs[group - 1] : sign !== SPACE && sign !== DASH) return 0;
      if (signs === undefined && usual !== 0 && sign !== usual) return 0;
      usual = sign;
    }
    const last = index + (sizes[group] as number);
    while (index < last) if (KINDS[bytes[index++] as number] !== DIGIT) return 0;
    if (KINDS[bytes[index] as number] === DIGIT) return 0;
  }
  return isAlone(codes, start, index) ? index : 0;
}

/**
 * Whether nothing is attached: neither a letter nor, by a dash, dot, slash, or `_`, another word or number. `free` is
 * one of these signs that attaches nothing: a card may be a part of a path.
 */
function isAlone(codes: Codes, start: number, end: number, free = 0): boolean {
  if (isWordAt(codes, start - 1) || isWordAt(codes, end)) return false;
  const { bytes } = codes;
  const isTied = (sign: number, word: number): boolean =>
    bytes[sign] !== free && isTie(bytes[sign] as number) && isWordAt(codes, word);
  return !(start > 0 && isTied(start - 1, start - 2)) && !isTied(end, end + 1);
}

const isTie = (code: number): boolean => code === DASH || code === DOT || code === 95 || code === SLASH;

/** Issuer, length, and Luhn. */
function isCard(bytes: Uint8Array, start: number, end: number, count: number): boolean {
  return isIssued(bytes, start, count) && passesLuhn(bytes, end, count);
}

/** Whether numbers of an issuer begin like this and have this length. */
function isIssued(bytes: Uint8Array, start: number, count: number): boolean {
  const four = numberAt(bytes, start, 4);
  const two = Math.floor(four / 100);
  return (
    (two >= 40 && two <= 49 && (count === 16 || count === 13 || count === 19)) ||
    (count === 16 && ((two >= 51 && two <= 55) || (four >= 2221 && four <= 2720))) ||
    (count === 15 && (two === 34 || two === 37)) ||
    (count === 14 && (two === 36 || two === 38 || (four >= 3000 && four <= 3059))) ||
    (count >= 16 && (two === 65 || four === 6011 || (four >= 6440 && four <= 6499) || two === 62)) ||
    (count === 16 && four >= 3528 && four <= 3589)
  );
}

/** Numbers of advertisements and manuals, which were never given to anybody. */
const NOT_SSN = new Set([78_051_120, 219_099_999, 123_456_789]);

function isSsn(bytes: Uint8Array, start: number): boolean {
  const number = numberAt(bytes, start, 9);
  const area = Math.floor(number / 1e6);
  if (area === 0 || area === 666 || area >= 900) return false;
  return Math.floor(number / 1e4) % 100 > 0 && number % 1e4 > 0 && !NOT_SSN.has(number);
}

/** A date of six or eight digits, a dash, and four digits; Luhn without the century. */
function readPersonnummer(codes: Codes, start: number, end: number): number {
  const { bytes } = codes;
  const isJoined = bytes[end] === DASH && KINDS[bytes[end + 1] as number] === DIGIT;
  if (!isJoined || !isDate(numberAt(bytes, end - 4, 2), numberAt(bytes, end - 2, 2))) return 0;
  const last = readGroups(codes, start, [end - start, 4]);
  return last > 0 && passesLuhn(bytes, last, 10) ? last : 0;
}

/** Day, month, year, a sign of the century, three digits, and the check character. */
function readHetu(codes: Codes, start: number): number {
  const { bytes } = codes;
  const sign = bytes[start + 6] as number;
  if (sign !== DASH && sign !== 43 && sign !== 65) return 0;
  for (let index = start + 7; index < start + 10; index++) if (KINDS[bytes[index] as number] !== DIGIT) return 0;
  if (!isDate(numberAt(bytes, start + 2, 2), numberAt(bytes, start, 2)) || !isAlone(codes, start, start + 11)) return 0;
  const check = hetuCharacter(numberAt(bytes, start, 6) * 1_000 + numberAt(bytes, start + 7, 3));
  return String.fromCharCode(bytes[start + 10] as number).toUpperCase() === check ? start + 11 : 0;
}

/** Four numbers up to 255, joined by dots, and nothing more. */
function readAddress(codes: Codes, start: number): number {
  const { bytes } = codes;
  let index = start;
  for (let group = 0; group < 4; group++) {
    if (group > 0 && bytes[index++] !== DOT) return 0;
    const first = index;
    let value = 0;
    while (index - first < 3 && KINDS[bytes[index] as number] === DIGIT)
      value = value * 10 + (bytes[index++] as number) - 48;
    if (index === first || value > 255) return 0;
  }
  if (isWordAt(codes, start - 1) || isWordAt(codes, index)) return 0;
  if (start > 0 && bytes[start - 1] === DOT && isWordAt(codes, start - 2)) return 0;
  return bytes[index] === DOT && isWordAt(codes, index + 1) ? 0 : index;
}
