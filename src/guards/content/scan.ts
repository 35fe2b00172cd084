/**
 * Reads a text once and finds what the rules look for. Time grows with the length of the text: every detector looks at
 * a bounded number of characters around its place, or takes what it has read. The same text has the same findings.
 *
 *   folded → read → phrases → texts inside it
 *     └→ without escapes, in the same way → findings
 *
 * Each step can stop after a slice of the text, so that a long one need not hold up the event loop.
 */
import { runAtOnce, type Turns } from "../../base/time/turns.ts";
import {
  ANCHOR,
  BREAK,
  beginFolding,
  type Codes,
  DIGIT,
  foldTo,
  KINDS,
  LETTER,
  OTHER_LETTER,
  PLUS,
  toCodes,
} from "./codes.ts";
import { decode } from "./escapes/decode.ts";
import { createFold, type Fold } from "./fold.ts";
import type { Found } from "./found.ts";
import { findMarker, findRoleHeading } from "./injection/markers.ts";
import { findPhrases, type Mark } from "./injection/phrases.ts";
import * as Words from "./injection/words.ts";
import { findEmail } from "./pii/email.ts";
import { findIpv6 } from "./pii/ip6.ts";
import { findLettersFirst } from "./pii/letters-first.ts";
import { findNumber } from "./pii/numbers.ts";
import { findPhone } from "./pii/phone.ts";
import { CONTENT_RULES, type Finding, RULE_IDS, type RuleFamily, type RuleId } from "./rules.ts";
import { findAssignment, findAuthorization, type SecretWord } from "./secrets/assignments.ts";
import { findJwt, findPrivateKey, findUrlPassword, skipSegment } from "./secrets/blocks.ts";
import { BEGINS_TOKEN, findToken, pairOf } from "./secrets/tokens.ts";
import { MIN_WRAPPED, unwrap } from "./wrapped.ts";

/** Wrappers inside one another that are opened. */
const MAX_DEPTH = 3;

/** Most tries at something that ends where others ended in vain: all of them would read it again and again. */
const MAX_TRIES = 4;

/** Words of this length are looked at as tokens whatever follows. */
const LONG_WORD = 16;

const SPACE = 32;

/** What a scan looks for besides the usual rules. */
export interface ScanOptions {
  /** Addresses of the Internet Protocol (`pii.ip`). */
  readonly withIp?: boolean;
  /** Characters that are read at once, where a scan goes by slices; {@link SLICE} when absent. */
  readonly slice?: number;
}

/** Finds what is in texts. */
export interface ContentScanner {
  /** Findings in the order of their places; none overlaps another. */
  scan(text: string, options?: ScanOptions): readonly Finding[];
  /** The same in slices of about a millisecond. */
  scanInSlices(text: string, options?: ScanOptions): Turns<readonly Finding[]>;
}

/** Characters that are read at once: about a millisecond of the worst text. */
const SLICE = 65_536;

/** Longer than any text, and a small integer: loops that count to a fraction are slower. */
const AT_ONCE = 2 ** 30 - 1;

/** Marks whose phrases are looked for at once. */
const MARKS_SLICE = 4_096;

/** Creates a scanner: its tables are built once. */
export function createContentScanner(): ContentScanner {
  const fold = createFold();
  const table = Words.createWordTable();
  const toolsOf = ({ withIp = false }: ScanOptions = {}): Tools => ({ fold, table, withIp });
  return {
    scan: (text, options) => runAtOnce(scanText(text, toolsOf(options), 0, AT_ONCE)),
    scanInSlices: (text, options) => scanText(text, toolsOf(options), 0, options?.slice ?? SLICE),
  };
}

interface Tools {
  readonly fold: Fold;
  readonly table: Words.WordTable;
  readonly withIp: boolean;
}

function* scanText(text: string, tools: Tools, depth: number, slice: number): Turns<readonly Finding[]> {
  const folding = beginFolding(text);
  while (folding.index < text.length) {
    foldTo(folding, folding.index + slice, tools.fold);
    yield;
  }
  const codes = toCodes(folding);
  const opens = depth < MAX_DEPTH;
  const written = yield* findIn(codes, tools, depth, slice, opens ? [] : null);
  const plain = opens ? yield* decode(codes, slice, tools.fold) : null;
  const decoded = plain === null ? [] : (yield* findIn(plain, tools, depth, slice, written.opened)).found;
  return toFindings(written.found, decoded);
}

/** A range of the text. */
type Range = Pick<Found, "start" | "end">;

/**
 * Finds what is in a folded text, and in the tokens that it wraps, but for those that were `opened` before; null: none
 * is. All by places of the text.
 */
function* findIn(
  codes: Codes,
  tools: Tools,
  depth: number,
  slice: number,
  opened: readonly Range[] | null,
): Turns<{ readonly found: Found[]; readonly opened: readonly Range[] }> {
  const reading: Reading = {
    index: 0,
    tokenStart: 0,
    words: 0,
    tokensFrom: 0,
    prefixEnd: -2,
    segmentEnd: 0,
    segmentTries: 0,
    valueEnd: 0,
    valueTries: 0,
    marks: [],
    wrapped: [],
    opened,
    nextOpened: 0,
  };
  const found: Found[] = [];
  while (reading.index < codes.length) {
    readCodes(codes, reading, reading.index + slice, tools, found);
    if (reading.index < codes.length) yield;
  }
  const { marks, wrapped } = reading;
  if (codes.length - reading.tokenStart >= MIN_WRAPPED) noteWrapped(codes, reading.tokenStart, codes.length, reading);
  if (marks.length > 1) {
    for (let from = 0; from < marks.length; from += MARKS_SLICE) {
      if (from > 0) yield;
      findPhrases(codes, marks, from, from + MARKS_SLICE, found);
    }
  }
  for (const { start, end, inner } of wrapped) {
    // What is found there is where the token is.
    const inside = yield* scanText(inner, tools, depth + 1, slice);
    for (const rule of new Set(inside.map((one) => one.rule))) found.push({ rule, start, end });
  }
  const { at } = codes;
  if (at === null) return { found, opened: wrapped };
  // The end is that of the last character, with what is invisible behind it.
  const startOf = (one: Range): number => at[one.start] as number;
  const endOf = (one: Range): number => at[one.end] as number;
  return {
    found: found.map((one) => ({ rule: one.rule, start: startOf(one), end: endOf(one) })),
    opened: wrapped.map((one) => ({ start: startOf(one), end: endOf(one) })),
  };
}

/**
 * Reads on to a position, or as far beyond it as what stands there goes: words and groups of digits as a whole, anchors
 * by what stands around them.
 */
function readCodes(codes: Codes, state: Reading, until: number, tools: Tools, found: Found[]): void {
  const { bytes } = codes;
  const { slots } = tools.table;
  const { marks } = state;
  const end = Math.min(until, codes.length) | 0;
  let { index, tokenStart, words } = state;
  while (index < end) {
    const code = bytes[index] as number;
    const kind = KINDS[code] as number;
    if (kind === LETTER) {
      const start = index;
      let next = 0;
      do next = bytes[++index] as number;
      while (((next | 32) - 97) >>> 0 < 26 || next === OTHER_LETTER);
      words++;
      const wordEnd = index;
      if (next === SPACE) {
        if (wordEnd - tokenStart >= MIN_WRAPPED) noteWrapped(codes, tokenStart, wordEnd, state);
        tokenStart = ++index;
      }
      // Tokens go on with a sign or a digit, or are long.
      if ((next !== SPACE || wordEnd - start >= LONG_WORD) && mayBeginToken(bytes, start, wordEnd)) {
        const tokenEnd = readToken(codes, start, wordEnd, state, found);
        if (tokenEnd > wordEnd) {
          tokenStart = index = tokenEnd;
          continue;
        }
      }
      if (wordEnd - start < Words.SHORTEST) continue;
      const slot = slots[Words.slotAt(bytes, start, wordEnd)] as number;
      if (slot === 0) continue;
      const word = Words.findWord(tools.table, slot, bytes, start, wordEnd);
      if (word === null) continue;
      if (word.mask !== 0) marks.push({ mask: word.mask, number: words, start, end: wordEnd });
      if (word.action === Words.NO_ACTION) continue;
      const after = act(codes, word.action, start, wordEnd, state, found);
      if (after > wordEnd) tokenStart = index = after;
    } else if (kind === DIGIT) {
      if (index > 0 && KINDS[bytes[index - 1] as number] === LETTER) {
        index = skipDigits(bytes, index);
        continue;
      }
      const known = found.length;
      index = findNumber(codes, index, tools.withIp, found);
      if (found.length > known) tokenStart = index;
    } else if (kind === BREAK || kind === ANCHOR) {
      if (index - tokenStart >= MIN_WRAPPED) noteWrapped(codes, tokenStart, index, state);
      index = kind === ANCHOR ? readAnchor(codes, index, tools.withIp, found) : index + 1;
      tokenStart = index;
    } else {
      if (kind === PLUS) findPhone(codes, index, found);
      index++;
    }
  }
  state.index = index;
  state.tokenStart = tokenStart;
  state.words = words;
}

/** A token whose bytes are a text. */
interface Wrapped {
  readonly start: number;
  readonly end: number;
  readonly inner: string;
}

/** How far a scan has come, and what it has seen on its way. */
interface Reading extends TokenState {
  index: number;
  /** Where the token begins that may be Base64. */
  tokenStart: number;
  /** Words so far. */
  words: number;
  readonly marks: Mark[];
  readonly wrapped: Wrapped[];
  /** Tokens that were opened before, by places of the text, in order; null: none is opened. */
  readonly opened: readonly Range[] | null;
  nextOpened: number;
}

/** What a scan remembers between words. */
interface TokenState {
  /** No token begins before this place: it was read in vain. */
  tokensFrom: number;
  /** End of the last word that makes a secret of the word `key`. */
  prefixEnd: number;
  /** End of what is read as the header of a JWT, and how many have been tried that end there. */
  segmentEnd: number;
  segmentTries: number;
  /** End of what was read as the value behind a name in vain, and how many names have been tried inside it. */
  valueEnd: number;
  valueTries: number;
}

/** Whether a known token, a JWT, or an identifier that begins with letters may begin with a word. */
function mayBeginToken(bytes: Uint8Array, start: number, end: number): boolean {
  // Behind a digit, only a JWT does.
  if (start > 0 && KINDS[bytes[start - 1] as number] === DIGIT) return isJwtStart(bytes, start);
  if (BEGINS_TOKEN[pairOf(bytes[start] as number, bytes[start + 1] as number)] === 1) return true;
  return end - start <= 6 && KINDS[bytes[end] as number] === DIGIT;
}

/** `eyJ`, which is `{"` in Base64. */
function isJwtStart(bytes: Uint8Array, start: number): boolean {
  return bytes[start] === 101 && bytes[start + 1] === 121 && bytes[start + 2] === 74;
}

function skipDigits(bytes: Uint8Array, start: number): number {
  let end = start;
  while (KINDS[bytes[end] as number] === DIGIT) end++;
  return end;
}

/**
 * Tries what begins with the first letters of a word from `start` to `end`, or with the word and the digit behind it.
 * Returns where to go on; `start`: with the word itself.
 */
function readToken(codes: Codes, start: number, end: number, state: TokenState, found: Found[]): number {
  const { bytes } = codes;
  if (start >= state.tokensFrom && BEGINS_TOKEN[pairOf(bytes[start] as number, bytes[start + 1] as number)] === 1) {
    const token = findToken(codes, start, found);
    state.tokensFrom = token.end;
    if (token.isFound) return token.end;
  }
  if (isJwtStart(bytes, start)) {
    if (start >= state.segmentEnd) {
      state.segmentEnd = skipSegment(bytes, start);
      state.segmentTries = 0;
    }
    if (state.segmentTries++ < MAX_TRIES) {
      const jwt = findJwt(codes, start, state.segmentEnd, found);
      if (jwt > start) return jwt;
    }
  }
  if (end - start > 6 || KINDS[bytes[end] as number] !== DIGIT) return start;
  const last = findLettersFirst(codes, start, end, found);
  return last > end ? last : start;
}

/** What follows a word; returns where to go on. */
function act(codes: Codes, action: number, start: number, end: number, state: TokenState, found: Found[]): number {
  switch (action) {
    case Words.PASSWORD_WORD:
      return readAssignment(codes, end, "password", state, found);
    case Words.TOKEN_WORD:
      return readAssignment(codes, end, "token", state, found);
    case Words.KEY_WORD:
      return start - state.prefixEnd <= 1 ? readAssignment(codes, end, "token", state, found) : end;
    case Words.KEY_PREFIX:
      state.prefixEnd = end;
      return end;
    case Words.BEARER_WORD:
      return findAuthorization(codes, end, false, found);
    case Words.BASIC_WORD:
      return findAuthorization(codes, end, true, found);
    case Words.BEGIN_WORD:
      return Math.max(findPrivateKey(codes, start, found), end);
    case Words.ROLE_WORD:
      findRoleHeading(codes, start, end, found);
      return end;
    default:
      return end;
  }
}

/** The value behind a name that ends at a place; returns where to go on. */
function readAssignment(codes: Codes, end: number, word: SecretWord, state: TokenState, found: Found[]): number {
  if (end < state.valueEnd && state.valueTries >= MAX_TRIES) return end;
  const { last, isFound } = findAssignment(codes, end, word, found);
  if (isFound) return last;
  if (end >= state.valueEnd) state.valueTries = 0;
  state.valueTries++;
  state.valueEnd = Math.max(state.valueEnd, last);
  return end;
}

/** What an anchor begins; returns where to go on, at least one further. */
function readAnchor(codes: Codes, index: number, withIp: boolean, found: Found[]): number {
  const { bytes } = codes;
  const code = bytes[index] as number;
  if (code === 64) findEmail(codes, index, found);
  else if (code !== 58) return Math.max(findMarker(codes, index, found), index + 1);
  else if (bytes[index + 1] === 47 && bytes[index + 2] === 47) findUrlPassword(codes, index, found);
  else if (withIp) return findIpv6(codes, index, found);
  return index + 1;
}

/**
 * Keeps the text inside a token for later. A token is opened once: without escapes, it is the same, or a part of that
 * which was opened.
 */
function noteWrapped(codes: Codes, start: number, end: number, state: Reading): void {
  const { opened } = state;
  if (opened === null) return;
  const place = codes.at === null ? start : (codes.at[start] as number);
  while (state.nextOpened < opened.length && (opened[state.nextOpened] as Range).end <= place) state.nextOpened++;
  if (((opened[state.nextOpened] as Range | undefined)?.start ?? Number.POSITIVE_INFINITY) <= place) return;
  const inner = unwrap(codes, start, end);
  if (inner !== null) state.wrapped.push({ start, end, inner });
}

const ORDER: ReadonlyMap<RuleId, number> = new Map(RULE_IDS.map((rule, index) => [rule, index]));

const orderOf = ({ rule }: Found): number => ORDER.get(rule) ?? 0;

/** The order of places; at the same place, the longer one, then that of the earlier rule. */
const compare = (a: Found, b: Found): number => a.start - b.start || b.end - a.end || orderOf(a) - orderOf(b);

/** Most are in order: words and numbers are, phrases and texts inside tokens come after. */
function sort(found: Found[]): void {
  for (let index = 1; index < found.length; index++)
    if ((found[index - 1] as Found).start >= (found[index] as Found).start) return void found.sort(compare);
}

/** All of both in order. Of findings that overlap, the first one stays, and goes to the end of the others. */
function toFindings(written: Found[], decoded: Found[]): readonly Finding[] {
  sort(written);
  sort(decoded);
  const apart: { rule: RuleId; kind: RuleFamily; start: number; end: number }[] = [];
  let last: (typeof apart)[number] | null = null;
  let [left, right] = [0, 0];
  while (left < written.length || right < decoded.length) {
    const isLeft =
      right === decoded.length ||
      (left < written.length && compare(written[left] as Found, decoded[right] as Found) <= 0);
    const { rule, start, end } = (isLeft ? written[left++] : decoded[right++]) as Found;
    if (last === null || start >= last.end) {
      last = { rule, kind: CONTENT_RULES[rule].family, start, end };
      apart.push(last);
    } else if (end > last.end) last.end = end;
  }
  return apart;
}
