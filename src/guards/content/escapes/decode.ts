/**
 * A folded text without the escapes that its receiver decodes: those of URLs and forms (`%40`, `+`), of JSON,
 * JavaScript, and C (`\u0040`, `\x40`, `\100`, `\n`, `\"`), of HTML (`&#64;`, `&commat;`), and of quoted-printable
 * mail (`=40`). Escapes of escapes are decoded as well, {@link MAX_PASSES} deep. Time grows with the length of the
 * text.
 */
import type { Turns } from "../../../base/time/turns.ts";
import { type Codes, DIGIT, KINDS, LETTER, PAD } from "../codes.ts";
import type { Fold } from "../fold.ts";
import { readBackslash } from "./backslash.ts";
import { readEntity } from "./entity.ts";
import { NO_POINT, NOTHING, type Place } from "./place.ts";
import { readPercent, readQuoted } from "./url.ts";

/** Escapes inside one another that are decoded. */
const MAX_PASSES = 3;

const NEWLINE = 10;
const SPACE = 32;
const PERCENT = 37;
const AMPERSAND = 38;
const PLUS = 43;
const EQUALS = 61;
const BACKSLASH = 92;

/** Bytes that may be more than themselves. */
const SPECIAL = Uint8Array.from({ length: 256 }, (_, code) =>
  [PERCENT, AMPERSAND, PLUS, EQUALS, BACKSLASH].includes(code) ? 1 : 0,
);

/** Parts of words and numbers; and those and what begins an escape. */
const PART = Uint8Array.from({ length: 256 }, (_, code) =>
  KINDS[code] === LETTER || KINDS[code] === DIGIT || code > 127 ? 1 : 0,
);
const BEFORE_PART = PART.map((part, code) => ([PERCENT, AMPERSAND, BACKSLASH].includes(code) ? 1 : part));

/** Longest way from the sign that begins an escape to a character that may complete it. */
const REACH = 40;

/** Decodes in slices of so many bytes; null: there is nothing to decode. */
export function* decode(codes: Codes, slice: number, fold: Fold): Turns<Codes | null> {
  const hasEquals = has(codes, EQUALS);
  const isMail = hasEquals && looksMail(codes);
  const mayChange =
    isMail || (hasEquals && has(codes, PLUS)) || has(codes, PERCENT) || has(codes, BACKSLASH) || has(codes, AMPERSAND);
  if (!mayChange) return null;
  let from = codes;
  for (let pass = 0; pass < MAX_PASSES; pass++) {
    const state: State = {
      from,
      // What is decoded is never longer, so that later passes write over what they have read.
      bytes: pass === 0 ? Buffer.allocUnsafe(codes.length + PAD) : (from.bytes as Buffer),
      at: pass === 0 ? new Int32Array(codes.length + 1) : (from.at as Int32Array),
      index: 0,
      length: 0,
      isForm: false,
      isMail,
      lastSign: -REACH,
      isChanged: false,
      hasMore: false,
      place: { end: 0 },
    };
    while (state.index < from.length) {
      if (state.index > 0) yield;
      decodeTo(state, Math.min(state.index + slice, from.length), fold);
    }
    const { bytes, at, length } = state;
    if (!state.isChanged) break;
    at[length] = from.at === null ? from.length : (from.at[from.length] as number);
    bytes.fill(0, length, length + PAD);
    from = { bytes, length, at };
    if (!state.hasMore) break;
  }
  return from === codes ? null : from;
}

function has({ bytes, length }: Codes, code: number): boolean {
  const index = bytes.indexOf(code);
  return index >= 0 && index < length;
}

/** Quoted-printable text has no bare `=`, and ends long lines with one. */
function looksMail({ bytes, length }: Codes): boolean {
  return ["=3D", "=\n", "=\r\n"].some((sign) => {
    const index = bytes.indexOf(sign, 0, "latin1");
    return index >= 0 && index + sign.length <= length;
  });
}

interface State {
  readonly from: Codes;
  readonly bytes: Buffer;
  /** Place of each byte in the text. */
  readonly at: Int32Array;
  /** Position in what is read, and in what is written. */
  index: number;
  length: number;
  /** Whether a `=` stands before, with no blank behind it: there, `+` is a blank. */
  isForm: boolean;
  /** Whether `=` is an escape. */
  readonly isMail: boolean;
  /** Place of the latest sign that is written and begins no escape yet. */
  lastSign: number;
  isChanged: boolean;
  /** Whether what was decoded may complete an escape, or begin one. */
  hasMore: boolean;
  /** Where the latest escape ends. */
  readonly place: Place;
}

function decodeTo(state: State, until: number, fold: Fold): void {
  const { from, bytes: into, at, isMail, place } = state;
  const { bytes, at: places } = from;
  let { index, length, isForm, lastSign, isChanged, hasMore } = state;
  const end = until | 0;
  while (index < end) {
    const code = bytes[index] as number;
    if (SPECIAL[code] === 0) {
      if (code <= SPACE) isForm = false;
      into[length] = code;
      at[length++] = places === null ? index : (places[index] as number);
      index++;
      continue;
    }
    let point = NO_POINT;
    let signs = index + 1;
    if (code === PLUS) {
      if (isForm && length > 0 && PART[into[length - 1] as number] === 1 && BEFORE_PART[bytes[signs] as number] === 1) {
        point = SPACE;
        place.end = signs;
      }
    } else if (code === EQUALS) {
      isForm = true;
      if (isMail) point = readQuoted(bytes, index, place);
    } else if (code === PERCENT) point = readPercent(bytes, index, place);
    else if (code === AMPERSAND) point = readEntity(bytes, index, place);
    else {
      while (bytes[signs] === BACKSLASH) signs++;
      // Each level of JSON doubles the backslashes: any number of them is read as one.
      point = readBackslash(bytes, signs, place);
    }
    if (point === NO_POINT) {
      if (code !== PLUS && (code !== EQUALS || isMail)) lastSign = length;
      do {
        into[length] = code;
        at[length++] = places === null ? index : (places[index] as number);
        index++;
      } while (index < signs);
      continue;
    }
    isChanged = true;
    let folded = point === NOTHING ? 0 : point < 128 ? point : fold(point);
    // A control ends what stands before it; what is invisible is left out, as everywhere.
    if (point === 0) folded = NEWLINE;
    if (code !== PLUS && (length - lastSign < REACH || SPECIAL[folded] === 1)) hasMore = true;
    if (folded !== 0) {
      into[length] = folded;
      at[length++] = places === null ? index : (places[index] as number);
    }
    index = place.end;
  }
  state.index = index;
  state.length = length;
  state.isForm = isForm;
  state.lastSign = lastSign;
  state.isChanged = isChanged;
  state.hasMore = hasMore;
}
