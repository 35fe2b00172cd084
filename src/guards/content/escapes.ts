/**
 * Escapes that the receiver of a text decodes: `%40` and `+` of URLs and forms, `\u0040`, `\x40`, `\n`, and `\"` of
 * JSON and JavaScript. Time grows with the length of the text.
 */
import type { Turns } from "../../base/time/turns.ts";

/** A text without its escapes. */
export interface Unescaped {
  readonly text: string;
  /** Position of each UTF-16 unit in the text with escapes, and the length of that behind the last one. */
  readonly at: Uint32Array;
}

const PERCENT = 37;
const BACKSLASH = 92;
const PLUS = 43;
const EQUALS = 61;
const SPACE = 32;

/** Letters behind a backslash, and what they stand for. */
const CONTROLS: Readonly<Record<string, number>> = { n: 10, r: 13, t: 9 };

/** Decodes one level, in slices of so many UTF-16 units; null: there is nothing to decode. */
export function* unescapeText(text: string, slice: number): Turns<Unescaped | null> {
  if (!mayHaveEscapes(text)) return null;
  const state: State = {
    text,
    units: new Uint16Array(text.length),
    at: new Uint32Array(text.length + 1),
    index: 0,
    length: 0,
    isForm: false,
    isChanged: false,
  };
  while (state.index < text.length) {
    if (state.index > 0) yield;
    unescapeTo(state, Math.min(state.index + slice, text.length));
  }
  const { units, at, length, isChanged } = state;
  if (!isChanged) return null;
  at[length] = text.length;
  return { text: Buffer.from(units.buffer, 0, length * 2).toString("utf16le"), at };
}

function mayHaveEscapes(text: string): boolean {
  return text.includes("%") || text.includes("\\") || (text.includes("+") && text.includes("="));
}

interface State {
  readonly text: string;
  readonly units: Uint16Array<ArrayBuffer>;
  readonly at: Uint32Array;
  /** Position in the text, and in the decoded one. */
  index: number;
  length: number;
  /** Whether a `=` stands before, with no blank behind it: there, `+` is a blank. */
  isForm: boolean;
  isChanged: boolean;
}

/** What an escape stands for, and where it ends. */
interface Escape {
  readonly point: number;
  readonly end: number;
}

function unescapeTo(state: State, until: number): void {
  const { text, units, at } = state;
  let { index, length, isForm } = state;
  while (index < until) {
    const unit = text.charCodeAt(index);
    if (unit !== PERCENT && unit !== BACKSLASH && unit !== PLUS) {
      if (unit === EQUALS) isForm = true;
      else if (unit <= SPACE) isForm = false;
      units[length] = unit;
      at[length++] = index++;
      continue;
    }
    let plainEnd = index + 1;
    let read: Escape | null = null;
    if (unit === PERCENT) read = readPercent(text, index);
    else if (unit === BACKSLASH) {
      while (text.charCodeAt(plainEnd) === BACKSLASH) plainEnd++;
      // Each level of JSON doubles the backslashes: any number of them is read as one.
      read = readBackslash(text, plainEnd);
    } else if (isForm && isPart(units[length - 1] as number) && isBeforePart(text, index + 1))
      read = { point: SPACE, end: index + 1 };
    if (read === null) {
      for (; index < plainEnd; index++, length++) {
        units[length] = text.charCodeAt(index);
        at[length] = index;
      }
      continue;
    }
    state.isChanged = true;
    const { point, end } = read;
    at[length] = index;
    if (point > 0xffff) {
      units[length++] = 0xd800 + ((point - 0x10000) >> 10);
      at[length] = index;
      units[length++] = 0xdc00 + ((point - 0x10000) & 0x3ff);
    } else units[length++] = point;
    index = end;
  }
  state.index = index;
  state.length = length;
  state.isForm = isForm;
}

/** `%40`, the bytes of a character in UTF-8, or `%u0040`. Bytes that are no UTF-8 are read as Latin 1. */
function readPercent(text: string, start: number): Escape | null {
  if ((text.charCodeAt(start + 1) | 32) === 117) {
    const point = hexAt(text, start + 2, 4);
    return point < 0 ? null : { point, end: start + 6 };
  }
  const lead = hexAt(text, start + 1, 2);
  if (lead < 0) return null;
  const alone = { point: lead, end: start + 3 };
  const more = lead < 0xc2 || lead > 0xf4 ? 0 : lead < 0xe0 ? 1 : lead < 0xf0 ? 2 : 3;
  if (more === 0) return alone;
  let point = lead & (0x3f >> more);
  let end = start + 3;
  for (let byte = 0; byte < more; byte++, end += 3) {
    const next = text.charCodeAt(end) === PERCENT ? hexAt(text, end + 1, 2) : -1;
    if ((next & 0xc0) !== 0x80) return alone;
    point = point * 64 + (next & 0x3f);
  }
  return point > 0x10ffff ? alone : { point, end };
}

/** What stands behind backslashes: `u0040`, `u{40}`, `x40`, a letter of a control, or a sign that stands for itself. */
function readBackslash(text: string, start: number): Escape | null {
  const unit = text.charCodeAt(start);
  const letter = text.charAt(start);
  if (letter === "u" && text.charAt(start + 1) === "{") {
    const close = text.slice(start + 2, start + 9).indexOf("}");
    const point = close < 1 ? -1 : hexAt(text, start + 2, close);
    return point < 0 || point > 0x10ffff ? null : { point, end: start + close + 3 };
  }
  if (letter === "u" || letter === "x") {
    const digits = letter === "u" ? 4 : 2;
    const point = hexAt(text, start + 1, digits);
    return point < 0 ? null : { point, end: start + 1 + digits };
  }
  const control = CONTROLS[letter];
  if (control !== undefined) return { point: control, end: start + 1 };
  return unit > SPACE && unit < 127 && !isPart(unit) ? { point: unit, end: start + 1 } : null;
}

/** Value of so many hexadecimal digits; -1: there are others. */
function hexAt(text: string, start: number, digits: number): number {
  let value = 0;
  for (let index = start; index < start + digits; index++) {
    const unit = text.charCodeAt(index);
    const small = unit | 32;
    if (unit >= 48 && unit <= 57) value = value * 16 + unit - 48;
    else if (small >= 97 && small <= 102) value = value * 16 + small - 87;
    else return -1;
  }
  return value;
}

/** Whether a unit is part of a word or a number. */
function isPart(unit: number): boolean {
  return (unit >= 48 && unit <= 57) || ((unit | 32) >= 97 && (unit | 32) <= 122) || unit > 127;
}

function isBeforePart(text: string, index: number): boolean {
  const unit = text.charCodeAt(index);
  return isPart(unit) || unit === PERCENT || unit === BACKSLASH;
}
