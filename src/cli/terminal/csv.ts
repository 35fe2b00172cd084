/** Tables as CSV (RFC 4180) that spreadsheets open without harm. */
import { Shown } from "./output.ts";
import { plain } from "./terminal.ts";

/** What makes a spreadsheet take a cell for a formula. */
const FORMULA = /^[=+\-@]/;

type Cell = string | number | bigint;

/** Lines end with CRLF. A text that would be a formula begins with an apostrophe, which spreadsheets do not show. */
export function formatCsv(header: readonly string[], rows: readonly (readonly Cell[])[]): Shown {
  return new Shown([header, ...rows].map((row) => `${row.map(toCell).join(",")}\r\n`).join(""));
}

function toCell(value: Cell): string {
  if (typeof value !== "string") return String(value);
  const text = plain(value);
  const harmless = FORMULA.test(text.trimStart()) ? `'${text}` : text;
  return /[",]/.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless;
}
