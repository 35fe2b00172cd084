/**
 * A text as the rules read it: one byte for each character that counts. Look-alikes of Latin letters, full-width and
 * mathematical forms, accents, and digits of other scripts are folded to ASCII. What is invisible is left out, so that
 * it cannot hide a word.
 */
import type { Fold } from "./fold.ts";

/** A folded text. */
export interface Codes {
  /** ASCII, {@link OTHER_LETTER}, or {@link OTHER_SYMBOL}; so many zeros as {@link PAD} follow the last one. */
  readonly bytes: Buffer;
  readonly length: number;
  /** Position of each byte in the text; null: the same. */
  readonly at: Int32Array | null;
}

/** Who looks ahead by less stays inside the bytes: to read beyond an array is slow ever after. */
export const PAD = 64;

/** A letter of another script. */
export const OTHER_LETTER = 128;
/** Any other character. */
export const OTHER_SYMBOL = 129;

/** Kinds of bytes, as the scanner distinguishes them. */
export const BREAK = 0;
export const LETTER = 1;
export const DIGIT = 2;
/** Part of tokens and of Base64: `- _ / =`. */
export const JOINER = 3;
/** Ends a token, and may begin something: `@ : < [`. */
export const ANCHOR = 4;
/** A joiner that may begin a telephone number: `+`. */
export const PLUS = 5;

/** Kind of each byte. */
export const KINDS: Uint8Array = Uint8Array.from({ length: 256 }, (_, code) => {
  const character = String.fromCharCode(code);
  if (code === OTHER_LETTER || /[A-Za-z]/.test(character)) return LETTER;
  if (/\d/.test(character)) return DIGIT;
  if (/[-_/=]/.test(character)) return JOINER;
  if (/[@:<[]/.test(character)) return ANCHOR;
  return character === "+" ? PLUS : BREAK;
});

/** A text that is being folded. */
export interface Folding {
  readonly text: string;
  readonly bytes: Buffer;
  /** Null: the text is ASCII, and is folded. */
  readonly at: Int32Array | null;
  /** Position in the text, and in the folded one. */
  index: number;
  length: number;
}

/** Begins to fold a text. Memory grows with its length. */
export function beginFolding(text: string): Folding {
  const bytes = Buffer.allocUnsafe(text.length + PAD);
  if (Buffer.byteLength(text) !== text.length)
    return { text, bytes, at: new Int32Array(text.length + 1), index: 0, length: 0 };
  bytes.write(text, 0, "latin1");
  return { text, bytes, at: null, index: text.length, length: text.length };
}

/** Folds on to a position in the text, or a character further. Time grows with the length of the part. */
export function foldTo(folding: Folding, until: number, fold: Fold): void {
  const { text, bytes, at } = folding;
  if (at === null) return;
  const end = Math.min(until, text.length);
  let { index, length } = folding;
  for (; index < end; index++) {
    const unit = text.charCodeAt(index);
    const start = index;
    let code = unit;
    if (unit >= 128) {
      let point = unit;
      if (unit >= 0xd800 && unit < 0xdc00 && index + 1 < text.length) {
        point = text.codePointAt(index) as number;
        if (point > 0xffff) index++;
      }
      code = fold(point);
      if (code === 0) continue;
    }
    at[length] = start;
    bytes[length] = code;
    length++;
  }
  folding.index = index;
  folding.length = length;
}

/** The text, once all of it is folded. */
export function toCodes({ text, bytes, at, length }: Folding): Codes {
  if (at !== null) at[length] = text.length;
  bytes.fill(0, length, length + PAD);
  return { bytes, length, at };
}

/** Bytes of a range as text. */
export function textOf({ bytes }: Codes, start: number, end: number): string {
  return bytes.toString("latin1", start, end);
}

/** Whether ASCII letters and digits, or a letter of another script, stand at a place. */
export function isWordAt({ bytes }: Codes, index: number): boolean {
  const kind = index < 0 ? BREAK : KINDS[bytes[index] as number];
  return kind === LETTER || kind === DIGIT;
}
