/**
 * Tables that fit the terminal. Cells wrap between words. If the columns do not fit side by side, each row becomes a
 * block with a line per column. Without a terminal, rows are not wrapped, for `grep` and `awk`.
 */
import { Shown } from "./output.ts";
import { cut, padTo, plain, sizeOf, widthOf } from "./terminal.ts";

const GAP = "  ";

/** Least width of a text column, unless its text is shorter. */
const MIN_TEXT_WIDTH = 16;

/** Formats rows under headings. `width` is that of the terminal, undefined without one. */
export function formatTable(
  headings: readonly string[],
  rows: readonly (readonly string[])[],
  width: number | undefined = sizeOf(process.stdout).columns,
): Shown {
  const all = [headings, ...rows].map((row) => row.map(plain));
  // If space is short, empty columns are left out.
  const isFull = fitWidths(all, width) === null;
  const cells = isFull
    ? all.map((row) => row.filter((_, column) => all.some((one, at) => at > 0 && one[column] !== "")))
    : all;
  const widths = fitWidths(cells, width);
  const lines =
    widths === null
      ? formatBlocks(cells[0] ?? [], cells.slice(1), width ?? 0)
      : cells.flatMap((row) => formatRow(row, widths));
  return new Shown(`${lines.map((line) => line.trimEnd()).join("\n")}\n`);
}

/** Widths of the columns; null if they do not fit side by side. */
function fitWidths(cells: readonly (readonly string[])[], width: number | undefined): readonly number[] | null {
  const measure = (of: (cell: string) => number): number[] =>
    (cells[0] ?? []).map((_, column) => cells.reduce((most, row) => Math.max(most, of(row[column] ?? "")), 0));
  const natural = measure(widthOf);
  if (width === undefined) return natural;
  const room = width - GAP.length * (natural.length - 1);
  let spare = room - sum(natural);
  if (spare >= 0) return natural;
  const words = measure((cell) => Math.max(0, ...cell.split(" ").map(widthOf)));
  const least = words.map((word, column) => Math.max(word, Math.min(natural[column] ?? 0, MIN_TEXT_WIDTH)));
  spare = room - sum(least);
  if (spare < 0) return null;
  // The remaining space goes to the columns in order.
  return least.map((one, column) => {
    const more = Math.min(spare, (natural[column] ?? one) - one);
    spare -= more;
    return one + more;
  });
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, one) => total + one, 0);
}

function formatRow(row: readonly string[], widths: readonly number[]): readonly string[] {
  const wrapped = row.map((cell, column) => wrapWords(cell, widths[column] ?? 0));
  const height = Math.max(1, ...wrapped.map((lines) => lines.length));
  return Array.from({ length: height }, (_, line) =>
    wrapped.map((lines, column) => padTo(lines[line] ?? "", widths[column] ?? 0)).join(GAP),
  );
}

/** Formats each row as a block of column names and values, without empty columns. */
function formatBlocks(
  headings: readonly string[],
  rows: readonly (readonly string[])[],
  width: number,
): readonly string[] {
  const nameWidth = Math.max(0, ...headings.map(widthOf));
  return rows.flatMap((row, index) => {
    const lines = row.flatMap((cell, column) => {
      if (cell === "") return [];
      const name = padTo(headings[column] ?? "", nameWidth);
      const beside = width - nameWidth - GAP.length;
      const fits = cell.split(" ").every((word) => widthOf(word) <= beside);
      if (fits)
        return wrapWords(cell, beside).map((line, at) => `${at === 0 ? name : " ".repeat(nameWidth)}${GAP}${line}`);
      // A word that is too long for the rest gets its own line.
      return [name, ...wrapWords(cell, width - GAP.length).map((line) => GAP + line)];
    });
    return index === 0 ? lines : ["", ...lines];
  });
}

/** Wraps text between words. A word wider than a line is cut. */
function wrapWords(text: string, width: number): readonly string[] {
  if (widthOf(text) <= width) return [text];
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ").map((one) => cut(one, width))) {
    const longer = line === "" ? word : `${line} ${word}`;
    if (widthOf(longer) <= width) line = longer;
    else {
      lines.push(line);
      line = word;
    }
  }
  return line === "" ? lines : [...lines, line];
}
