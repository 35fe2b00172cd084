/** Text for terminals: sanitizing, widths, and sizes. */
import { stripVTControlCharacters } from "node:util";
import stringWidth from "string-width";

/**
 * Text on one line without characters that affect the terminal: control characters, and formatting characters, which
 * reorder or hide others. The joiner inside an emoji is kept.
 */
export function plain(text: string): string {
  if (/^[\u0020-\u007e]*$/.test(text)) return text;
  return stripVTControlCharacters(text)
    .replaceAll(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, " ")
    .replaceAll(FORMATTING, "");
}

/** Formatting characters except the joiner between two pictographs of an emoji. */
const FORMATTING =
  /(?!(?<=\p{Extended_Pictographic}|\p{Emoji_Modifier}|\ufe0f)\u200d(?=\p{Extended_Pictographic}))\p{Cf}/gu;

/**
 * Columns and rows of a terminal; undefined without one or if it reports 0 (`docker exec -t`, `expect`, serial
 * consoles).
 */
export function sizeOf({ columns, rows }: { readonly columns?: number; readonly rows?: number }): {
  readonly columns: number | undefined;
  readonly rows: number | undefined;
} {
  return { columns: columns || undefined, rows: rows || undefined };
}

/** Columns that text occupies: wide characters and emoji take two. */
export function widthOf(text: string): number {
  return /^[\u0020-\u007e]*$/.test(text) ? text.length : stringWidth(text);
}

/** Pads text with spaces to a width. */
export function padTo(text: string, width: number): string {
  return text + " ".repeat(Math.max(0, width - widthOf(text)));
}

const SEGMENTER = new Intl.Segmenter();

/** Cuts text to a width and marks the cut. Never splits a character. */
export function cut(text: string, width: number): string {
  if (widthOf(text) <= width) return text;
  if (width <= 0) return "";
  let kept = "";
  let used = 1;
  for (const { segment } of SEGMENTER.segment(text)) {
    used += widthOf(segment);
    if (used > width) break;
    kept += segment;
  }
  return `${kept}…`;
}

/** Age in one unit: `40s`, `5m`, `3h`, `12d`. */
export function formatAge(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1_000));
  if (seconds < 60) return `${seconds}s`;
  if (seconds < 3_600) return `${Math.floor(seconds / 60)}m`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3_600)}h`;
  return `${Math.floor(seconds / 86_400)}d`;
}
