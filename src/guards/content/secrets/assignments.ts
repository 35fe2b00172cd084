/** Values behind words such as `password`: an assignment, a field of JSON, a header, a sentence. */
import { type Codes, DIGIT, isWordAt, JOINER, KINDS, LETTER, PLUS, textOf } from "../codes.ts";
import type { FoundList } from "../found.ts";
import { entropyOf } from "./entropy.ts";

/** Longest value that is judged. */
const MAX_VALUE = 256;

/** Words that are chosen by people may be short; tokens and keys are made by machines. */
export type SecretWord = "password" | "token";

const isQuote = (code: number): boolean => code === 34 || code === 39 || code === 96;

const ENDS_VALUE = Uint8Array.from({ length: 256 }, (_, code) =>
  code <= 32 || code > 127 || /["'`,;<>()[\]{}|\\]/.test(String.fromCharCode(code)) ? 1 : 0,
);

/** What became of the value behind a word, and how far it was read. */
export interface ValueEnd {
  readonly isFound: boolean;
  readonly last: number;
}

/** Adds the value behind a word that ends at a place. */
export function findAssignment(codes: Codes, end: number, word: SecretWord, found: FoundList): ValueEnd {
  const start = findValue(codes, end, word);
  if (start === 0) return { isFound: false, last: end };
  const { bytes } = codes;
  let last = start;
  while (last - start < MAX_VALUE && ENDS_VALUE[bytes[last] as number] === 0) {
    // The next field: `password=…&token=…`.
    const isSign = bytes[last] === 61 || bytes[last] === 58;
    if (isSign && last > start && isWordAt(codes, last - 1) && isWordAt(codes, last + 1)) break;
    last++;
  }
  // The sentence goes on.
  while (last > start && (bytes[last - 1] === 46 || bytes[last - 1] === 58 || bytes[last - 1] === 63)) last--;
  const isFound = bytes[last] !== 40 && looksSecret(codes, start, last, word);
  if (isFound) found.push({ rule: "secret.assignment", start, end: last });
  return { isFound, last };
}

/** Where the value begins behind `=`, `:`, `=>`, or `is`; 0: there is none. */
function findValue({ bytes }: Codes, end: number, word: SecretWord): number {
  let index = end;
  // The rest of a name in capitals or with a number: PASSWORD_1, token2.
  while (index - end < 4 && (bytes[index] === 95 || KINDS[bytes[index] as number] === DIGIT)) index++;
  while (index - end < 8 && (isQuote(bytes[index] as number) || bytes[index] === 93 || bytes[index] === 32)) index++;
  const sign = bytes[index];
  if (sign === 58 || sign === 61) {
    index++;
    if (bytes[index] === 61 || bytes[index] === 62) index++;
  } else if (
    word === "password" &&
    ((bytes[index] as number) | 32) === 105 &&
    bytes[index + 1] === 115 &&
    bytes[index + 2] === 32
  ) {
    index += 2;
    if (bytes[index] === 58) index++;
  } else return 0;
  const first = index;
  while (index - first < 4 && (bytes[index] === 32 || isQuote(bytes[index] as number))) index++;
  return index;
}

/** Values that begin with a sign or a word like these stand for one: references, placeholders, types, masks. */
const SIGNS = new Set(Array.from("$%<{*#&@", (sign) => sign.charCodeAt(0)));
const STANDS_FOR = new Set(
  (
    "secret vault env process os http https xxx xxxx xxxxx xxxxxx xxxxxxxx my your the some a an new old change changeme example placeholder " +
    "redacted insert enter replace todo none null undefined true false required optional string number boolean self this " +
    "config settings request req get row data user param params arg args options input form field password token value"
  ).split(" "),
);

function standsForOne(codes: Codes, start: number, end: number): boolean {
  const { bytes } = codes;
  if (SIGNS.has(bytes[start] as number) || (bytes[start] === 46 && bytes[start + 1] === 46)) return true;
  let last = start;
  while (last < end && last - start < 16 && KINDS[bytes[last] as number] === LETTER) last++;
  const isWord = last === end || KINDS[bytes[last] as number] !== DIGIT;
  return isWord && last - start <= LONGEST && STANDS_FOR.has(textOf(codes, start, last).toLowerCase());
}

const LONGEST = Math.max(...Array.from(STANDS_FOR, ({ length }) => length));

function looksSecret(codes: Codes, start: number, end: number, word: SecretWord): boolean {
  const { bytes } = codes;
  const length = end - start;
  if (length < (word === "password" ? 6 : 12)) return false;
  let lower = 0;
  let upper = 0;
  let digits = 0;
  let signs = 0;
  for (let index = start; index < end; index++) {
    const code = bytes[index] as number;
    if (KINDS[code] === DIGIT) digits++;
    else if (KINDS[code] !== LETTER) signs += code === 46 || code === 45 || code === 95 ? 0 : 1;
    else if (code < 97) upper++;
    else lower++;
  }
  const letters = lower + upper;
  // Letters with digits or punctuation; names of variables have at most `_`, `.`, and `-`.
  const isMixed = word === "password" ? letters > 0 && digits + signs > 0 : digits > 1 && letters > 1;
  const isLong = length >= 24 && lower > 3 && upper > 3;
  if (!(isMixed || isLong) || standsForOne(codes, start, end)) return false;
  const entropy = entropyOf(bytes, start, end);
  return isMixed ? entropy >= (word === "password" ? 2.2 : 3) : entropy >= 4;
}

/** Adds the credential behind `Bearer` or `Basic` that ends at a place. Returns its end, else `end`. */
export function findAuthorization(codes: Codes, end: number, isBasic: boolean, found: FoundList): number {
  const { bytes } = codes;
  if (bytes[end] !== 32) return end;
  let last = end + 1;
  while (last - end < 4_096) {
    const code = bytes[last] as number;
    const kind = KINDS[code];
    if (
      code > 127 ||
      (kind !== LETTER && kind !== DIGIT && kind !== JOINER && kind !== PLUS && code !== 46 && code !== 126)
    )
      break;
    last++;
  }
  const start = end + 1;
  if (bytes[last - 1] === 46) last--;
  if (last - start < (isBasic ? 8 : 16)) return end;
  if (isBasic ? !isCredential(bytes, start, last) : !looksSecret(codes, start, last, "token")) return end;
  found.push({ rule: "secret.authorization", start, end: last });
  return last;
}

/** Longest user; shortest and longest password. */
const [MAX_USER, MIN_PASSWORD, MAX_PASSWORD] = [128, 3, 256];

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const COLON = 58;

/** Values of Base64, in both alphabets; -1: it has none. */
const SIXTHS = Int8Array.from({ length: 256 }, (_, code) => {
  if (code === 43 || code === 45) return 62;
  return code === 47 || code === 95 ? 63 : ALPHABET.indexOf(String.fromCharCode(code));
});

/** Whether Base64 stands for `user:password`. Stops at the first byte that cannot stand there. */
function isCredential(bytes: Uint8Array, start: number, end: number): boolean {
  let rest = 0;
  let bits = 0;
  let length = 0;
  let colon = -1;
  for (let index = start; index < end; index++) {
    const sixth = SIXTHS[bytes[index] as number] as number;
    if (sixth < 0) continue;
    rest = ((rest << 6) | sixth) & 0xfff;
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    const code = (rest >> bits) & 0xff;
    if (code < 32 || code > 126 || (colon < 0 && code === 32)) return false;
    if (colon < 0 && code === COLON) colon = length;
    length++;
    if (colon < 0 ? length > MAX_USER : length - colon - 1 > MAX_PASSWORD) return false;
  }
  return colon > 0 && length - colon - 1 >= MIN_PASSWORD;
}
