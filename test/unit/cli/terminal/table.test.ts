import stringWidth from "string-width";
import { describe, expect, test } from "vitest";
import { formatTable } from "../../../../src/cli/terminal/table.ts";
import { cut } from "../../../../src/cli/terminal/terminal.ts";

const HEADINGS = ["RUN", "TASK", "STATE", "QUESTION"];
const ROWS = [
  [
    "01m8j7jrca0023z59mavnn1b8h",
    "ask-finance",
    "PENDING",
    "May the invoice of Zoë be paid before the end of the month?",
  ],
  ["01m8j7jrca0023z59mavnn1b8i", "質問", "APPROVED", "日本語の質問 🎉 続けてもいいですか 👨‍👩‍👧 go on?"],
  ["01m8j7jrca0023z59mavnn1b8j", "x", "PENDING", ""],
];
const WORDS = new Set([HEADINGS, ...ROWS].flat().flatMap((cell) => cell.split(" ")));

describe("a table", () => {
  // Cause: rows were as long as their cells, so the terminal broke them wherever it ended.
  test.each([40, 60, 80, 120, 200])("fits %i columns, and no word is broken", (width) => {
    const lines = formatTable(HEADINGS, ROWS, width).text.trimEnd().split("\n");
    for (const line of lines) expect(stringWidth(line), line).toBeLessThanOrEqual(width);
    const words = lines.flatMap((line) => line.trim().split(/ +/)).filter((word) => word !== "");
    expect(words.filter((word) => !WORDS.has(word))).toEqual([]);
    for (const word of ROWS.flat()
      .flatMap((cell) => cell.split(" "))
      .filter((one) => one !== ""))
      expect(words).toContain(word);
  });

  test("has one line per row without a terminal, with columns under their headings also for wide characters", () => {
    const lines = formatTable(HEADINGS, ROWS, undefined).text.trimEnd().split("\n");
    expect(lines).toHaveLength(4);
    const starts = lines.slice(0, 3).map((line) => stringWidth(line.slice(0, line.search(/STATE|PENDING|APPROVED/))));
    expect(new Set(starts).size).toBe(1);
  });

  test("leaves columns without a value out before it gives the columns up", () => {
    const rows = [["01m8j7jrca0023z59mavnn1b8h", "hello", ""]];
    expect(formatTable(["RUN", "FLOW", "KEY"], rows, 34).text).toBe(
      "RUN                         FLOW\n01m8j7jrca0023z59mavnn1b8h  hello\n",
    );
  });

  test("cuts a word that is wider than the terminal, and never half of a character", () => {
    expect(formatTable(["ID"], [["x".repeat(50)]], 40).text).toBe(`ID\n  ${"x".repeat(37)}…\n`);
    expect(cut("👨‍👩‍👧👨‍👩‍👧", 3)).toBe("👨‍👩‍👧…");
  });
});
