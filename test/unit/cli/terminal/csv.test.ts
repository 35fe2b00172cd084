import { expect, test } from "vitest";
import { formatCsv } from "../../../../src/cli/terminal/csv.ts";

test("cells are quoted where they must be, and no text is a formula or spans lines", () => {
  const { text } = formatCsv(
    ["user", "cost"],
    [
      ["ann", -1.5],
      ['=HYPERLINK("http://x")', 2n],
      ["+1, 2", 0],
      ["-x", 0],
      ["@sum", 0],
      [" =1", 0],
      ["a\r\nb\u001b[31m", 0],
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
    expect.stringMatching(/^a.*b.*,0$/),
    "",
  ]);
});
