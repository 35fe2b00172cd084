/** Base64: long tokens whose bytes are a text are read as that text, behind a name and `=` as well. */
import { type Codes, textOf } from "./codes.ts";

/** Shortest token that is tried: 24 characters are 18 bytes. */
export const MIN_WRAPPED = 24;

const EQUALS = 61;

/** The text that the token from `start` to `end` carries; null: it carries none. */
export function unwrap(codes: Codes, start: number, end: number): string | null {
  const { bytes } = codes;
  let upper = 0;
  let lower = 0;
  let others = 0;
  let first = start;
  for (let index = start; index < end; index++) {
    const code = bytes[index] as number;
    if (code > 127) return null;
    if (code !== EQUALS && index > start && bytes[index - 1] === EQUALS) {
      first = index;
      upper = lower = others = 0;
    }
    if (code >= 97) lower++;
    else if (code >= 65 && code !== 95) upper++;
    else others++;
  }
  // Paths and words have hardly any capitals; text in Base64 has a quarter of them, and some digits.
  if (upper < (end - first) / 8 || lower < (end - first) / 8 || others === 0) return null;
  const text = Buffer.from(textOf(codes, first, end), "base64").toString("utf8");
  let printable = 0;
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    if ((unit >= 32 && unit !== 127 && unit !== 0xfffd) || unit === 10 || unit === 13 || unit === 9) printable++;
  }
  return printable >= text.length * 0.95 && text.length >= 12 ? text : null;
}
