/** Tables as CSV (RFC 4180) that spreadsheets open without harm. Two texts that differ never look alike. */
import { Shown } from "./output.ts";

/**
 * What makes a spreadsheet take a cell for a formula, also in its wide and small forms, and behind what it skips. A
 * text that begins with an apostrophe gets another one.
 */
const FORMULA = /^(?:[\t\r\n']|[\s\p{Cf}]*[=+\-@])/u;

/** Control characters but for tabs and line breaks. */
const CONTROLS = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]/g;

type Cell = string | number | bigint;

/**
 * Lines end with CRLF. A text that would be a formula begins with an apostrophe. Control characters, which are for
 * terminals, are written as their pictures or codes.
 */
export function formatCsv(header: readonly string[], rows: readonly (readonly Cell[])[]): Shown {
  return new Shown([header, ...rows].map((row) => `${row.map(toCell).join(",")}\r\n`).join(""));
}

function toCell(value: Cell): string {
  if (typeof value !== "string") return String(value);
  const text = value.replaceAll(CONTROLS, toPicture);
  const harmless = FORMULA.test(text.normalize("NFKC")) ? `'${text}` : text;
  return /[",\r\n]/.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless;
}

/** U+001B → ␛. Those above U+007F have none. */
function toPicture(control: string): string {
  const code = control.charCodeAt(0);
  if (code < 0x20) return String.fromCharCode(0x2400 + code);
  return code === 0x7f ? "\u2421" : `\\u${code.toString(16).padStart(4, "0")}`;
}
