/** What the terminal is told: text that cannot steer it, colours where they are wanted, tables. */
import { stripVTControlCharacters, styleText } from "node:util";

/** A colour or weight; shown only where the stream is a terminal and the user did not ask for none (NO_COLOR). */
export type Style = "bold" | "dim" | "red" | "green" | "yellow" | "blue" | "cyan";

/** Text in a style for one stream. */
export function paint(style: Style, text: string, stream: NodeJS.WriteStream = process.stdout): string {
  return styleText(style, text, { stream });
}

/** Text from outside on one line, without characters that would steer the terminal. */
export function plain(text: string): string {
  return stripVTControlCharacters(text).replaceAll(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, " ");
}

/** Text cut to a width, with a sign that something is missing. */
export function cut(text: string, width: number): string {
  if (text.length <= width) return text;
  return width <= 0 ? "" : `${text.slice(0, width - 1)}…`;
}

/** Rows under headings, columns as wide as their longest cell. The last column is not padded. */
export function formatTable(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  const cells = [headings, ...rows].map((row) => row.map(plain));
  const widths = headings.map((_, column) =>
    cells.reduce((width, row) => Math.max(width, (row[column] ?? "").length), 0),
  );
  const lines = cells.map((row) =>
    row.map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd(widths[column] ?? 0))).join("  "),
  );
  return `${lines.map((line) => line.trimEnd()).join("\n")}\n`;
}

/** How long ago something was, in one unit: `40s`, `5m`, `3h`, `12d`. */
export function formatAge(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1_000));
  if (seconds < 60) return `${seconds}s`;
  if (seconds < 3_600) return `${Math.floor(seconds / 60)}m`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3_600)}h`;
  return `${Math.floor(seconds / 86_400)}d`;
}
