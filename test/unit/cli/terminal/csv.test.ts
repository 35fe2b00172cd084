import { expect, test } from "vitest";
import { formatCsv } from "../../../../src/cli/terminal/csv.ts";

test("cells are quoted where they must be, and no text is a formula", () => {
  const { text } = formatCsv(
    ["user", "cost"],
    [
      ["ann", -1.5],
      ['=HYPERLINK("http://x")', 2n],
      ["+1, 2", 0],
      ["-x", 0],
      ["@sum", 0],
      [" =1", 0],
    ],
  );
  expect(text.split("\r\n")).toEqual([
    "user,cost",
    "ann,-1.5",
    `"'=HYPERLINK(""http://x"")",2`,
    `"'+1, 2",0`,
    "'-x,0",
    "'@sum,0",
    "' =1,0",
    "",
  ]);
});

// Cause: tabs, line breaks, and invisible characters became blanks or vanished, so that different users looked alike.
test.each<[string, string]>([
  ["a\tb", "a\tb"],
  ["a\rb", '"a\rb"'],
  ["a\nb", '"a\nb"'],
  ["a\u200bb", "a\u200bb"],
  ["ab", "ab"],
  ["a\u001b[31m", "a\u241b[31m"],
  ["a\u009b31m", "a\\u009b31m"],
  // What spreadsheets take for formulas.
  ["\t=1", "'\t=1"],
  ["\r1", '"\'\r1"'],
  ["\uff1d1", "'\uff1d1"],
  ["\uff0b1", "'\uff0b1"],
  ["\uff0d1", "'\uff0d1"],
  ["\uff201", "'\uff201"],
  ["\ufe661", "'\ufe661"],
  ["\u200b=1", "'\u200b=1"],
  ["=1", "'=1"],
  ["'=1", "''=1"],
])("a text is what it was: %j", (text, cell) => {
  expect(formatCsv(["user"], [[text]]).text).toBe(`user\r\n${cell}\r\n`);
});
