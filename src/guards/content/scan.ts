/**
 * Reads a text once and finds what the rules look for. Time grows with the length of the text: every detector looks at
 * a bounded number of characters around its place, or takes what it has read. The same text has the same findings.
 *
 *   folded → read → phrases → texts inside it, and itself without escapes, in the same way → findings
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
import { unescapeText } from "./escapes.ts";
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
import { CONTENT_RULES, type Finding, RULE_IDS, type RuleId } from "./rules.ts";
import { findAssignment, findAuthorization } from "./secrets/assignments.ts";
import { findJwt, findPrivateKey, findUrlPassword } from "./secrets/blocks.ts";
import { BEGINS_TOKEN, findToken, pairOf } from "./secrets/tokens.ts";
import { MIN_WRAPPED, unwrap } from "./wrapped.ts";

/** Wrappers and escapes inside one another that are opened. */
const MAX_DEPTH = 3;

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

/** Marks whose phrases are looked for at once. */
const MARKS_SLICE = 4_096;

/** Creates a scanner: its tables are built once. */
export function createContentScanner(): ContentScanner {
  const fold = createFold();
  const table = Words.createWordTable();
  const toolsOf = ({ withIp = false }: ScanOptions = {}): Tools => ({ fold, table, withIp });
  return {
    scan: (text, options) => runAtOnce(scanText(text, toolsOf(options), 0, Number.POSITIVE_INFINITY)),
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
  const reading: Reading = {
    index: 0,
    tokenStart: 0,
    words: 0,
    tokensFrom: 0,
    prefixEnd: -2,
    marks: [],
    wrapped: [],
    opens: depth < MAX_DEPTH,
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
  const placed = at === null ? found : found.map((one) => toPlaces(one, at));
  const plain = reading.opens ? yield* unescapeText(text, slice) : null;
  if (plain !== null)
    for (const one of yield* scanText(plain.text, tools, depth + 1, slice)) placed.push(toPlaces(one, plain.at));
  if (placed.length === 0) return [];
  return withoutOverlaps(placed).map(({ rule, start, end }) => ({
    rule,
    kind: CONTENT_RULES[rule].family,
    start,
    end,
  }));
}

/** The end is that of the last character, with what is invisible behind it. */
function toPlaces({ rule, start, end }: Found, at: Uint32Array): Found {
  return { rule, start: at[start] as number, end: at[end] as number };
}

/**
 * Reads on to a position, or as far beyond it as what stands there goes: words and groups of digits as a whole, anchors
 * by what stands around them.
 */
function readCodes(codes: Codes, state: Reading, until: number, tools: Tools, found: Found[]): void {
  const { bytes } = codes;
  const { slots } = tools.table;
  const { marks } = state;
  const end = Math.min(until, codes.length);
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
      const known = found.length;
      if (index > 0 && KINDS[bytes[index - 1] as number] === LETTER) index = skipDigits(bytes, index);
      else index = findNumber(codes, index, tools.withIp, found);
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
  /** Whether tokens and escapes are opened. */
  readonly opens: boolean;
}

/** What a scan remembers between words. */
interface TokenState {
  /** No token begins before this place: it was read in vain. */
  tokensFrom: number;
  /** End of the last word that makes a secret of the word `key`. */
  prefixEnd: number;
}

/** Whether a known token, a JWT, or an identifier that begins with letters may begin with a word. */
function mayBeginToken(bytes: Uint8Array, start: number, end: number): boolean {
  if (BEGINS_TOKEN[pairOf(bytes[start] as number, bytes[start + 1] as number)] === 1) return true;
  return end - start <= 6 && KINDS[bytes[end] as number] === DIGIT;
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
  if (bytes[start] === 101 && bytes[start + 1] === 121 && bytes[start + 2] === 74) {
    const jwt = findJwt(codes, start, found);
    if (jwt > start) return jwt;
  }
  if (end - start > 6 || KINDS[bytes[end] as number] !== DIGIT) return start;
  const last = findLettersFirst(codes, start, end, found);
  return last > end ? last : start;
}

/** What follows a word; returns where to go on. */
function act(codes: Codes, action: number, start: number, end: number, state: TokenState, found: Found[]): number {
  switch (action) {
    case Words.PASSWORD_WORD:
      return findAssignment(codes, end, "password", found);
    case Words.TOKEN_WORD:
      return findAssignment(codes, end, "token", found);
    case Words.KEY_WORD:
      return start - state.prefixEnd <= 1 ? findAssignment(codes, end, "token", found) : end;
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

/** Keeps the text inside a token for later. */
function noteWrapped(codes: Codes, start: number, end: number, { wrapped, opens }: Reading): void {
  const inner = opens ? unwrap(codes, start, end) : null;
  if (inner !== null) wrapped.push({ start, end, inner });
}

const ORDER: ReadonlyMap<RuleId, number> = new Map(RULE_IDS.map((rule, index) => [rule, index]));

/**
 * Of findings that overlap, the first one stays, and goes to the end of the others; at the same place, the longer one,
 * then that of the earlier rule.
 */
function withoutOverlaps(found: Found[]): readonly Found[] {
  // Most are in order: words and numbers are, phrases and texts inside tokens come after.
  const isSorted = found.every((one, index) => index === 0 || (found[index - 1] as Found).start < one.start);
  if (!isSorted) found.sort((a, b) => a.start - b.start || b.end - a.end || orderOf(a) - orderOf(b));
  const apart: Found[] = [];
  let end = -1;
  for (const one of found) {
    if (one.start >= end) apart.push(one);
    else if (one.end > end) apart.push({ ...(apart.pop() as Found), end: one.end });
    end = Math.max(end, one.end);
  }
  return apart;
}

const orderOf = ({ rule }: Found): number => ORDER.get(rule) ?? 0;
