import { describe, expect, it, test } from "vitest";
import { isOrchestratorError } from "../../../../src/base/errors.ts";
import { parseFlowSource } from "../../../../src/flows/document/parse.ts";

/** `line:column description` of everything that is wrong with a source. */
function problemsOf(text: string): readonly string[] {
  try {
    parseFlowSource(text);
  } catch (error) {
    if (!isOrchestratorError(error)) throw error;
    return error.violations.map(({ line, column, description }) => `${line}:${column} ${description}`);
  }
  return [];
}

const FLOW = "id: f\nworkflow:\n  tasks:\n";

// Cause: every error of the library was listed in its own words. One pair of missing quotes gave 19 of them, on the
// lines after it too.
describe("one mistake gives one message that says what to write", () => {
  it.each([
    [
      "an expression without quotes inside of braces",
      `${FLOW}    - {id: a, parameters: {url: \${vars.shop}/x}}\n    - {id: b, type: noop}\n`,
      '4:33 an expression inside {…} or […] needs quotes: write "${vars.shop}/x"',
    ],
    ["one in a list", "a: [1, ${b}, 2]\n", '1:8 an expression inside {…} or […] needs quotes: write "${b}"'],
    [
      "one with quotes in it",
      'a: {b: ${x["y"]}, c: 1}\n',
      `1:8 an expression inside {…} or […] needs quotes: write '\${x["y"]}'`,
    ],
    ["an expression with a colon", "a: ${x ? 1 : 2}\n", '1:4 text that holds ": " needs quotes: write "${x ? 1 : 2}"'],
    ["plain text with a colon", "a: Note: this\n", '1:4 text that holds ": " needs quotes: write "Note: this"'],
    ["@", "a: @me\n", '1:4 text that begins with @ needs quotes: write "@me"'],
    ["%", "a: {b: %d, c: 1}\n", '1:8 text that begins with % needs quotes: write "%d"'],
    ["a backtick", "a: `x`\n", '1:4 text that begins with ` needs quotes: write "`x`"'],
    ["*", "a: *.txt\n", '1:4 the anchor ".txt" does not exist; text that begins with * needs quotes: write "*.txt"'],
    ["an escape", 'a: "C:\\path"\n', "1:7 \\p is not an escape; write \\\\ for a backslash, or put the text in '…'"],
    [
      "a quote that is missing",
      `a: "x\n${FLOW}`,
      '1:4 the quote that opens here is not closed; add " where the text ends',
    ],
    [
      "a quote that a later one closes",
      'a: "x\nb: "y"\nc: 1\n',
      '1:4 the quote that opens here is not closed; add " where the text ends',
    ],
    ["a quote in quotes", "a: 'it's me'\n", "1:7 the text ends at this quote; inside '…' write '' for the sign itself"],
    [
      "a bracket that is missing",
      `${FLOW}    - {id: a\n    - {id: b}\n`,
      '4:7 "{" is not closed; add "}" where it ends',
    ],
    ["a bracket too many", "a: [b]]\n", '1:7 this "]" has no opening bracket; remove it'],
    ["broken JSON", '{"a": [1, 2]', '1:1 "{" is not closed; add "}" where it ends'],
    ["a missing comma", "a: {b: 1 c: 2}\n", "1:8 a comma is missing between the entries of {…} or […]"],
    [
      "a tab",
      `${FLOW}\t\t- id: a\n`,
      "4:1 a tab indents this line; YAML takes spaces only, so replace the tabs of the whole file",
    ],
    [
      "an entry that is indented too little",
      `${FLOW}    - id: a\n      type: noop\n     depends_on: [b]\n    - id: b\n`,
      "6:6 the line begins at column 6, but what is above begins at 1, 3, 5, 7; keys of one object and entries of one list begin at the same column",
    ],
    [
      "one that is indented too far",
      `${FLOW}    - id: a\n       type: noop\n    - id: b\n`,
      "5:8 the line begins at column 8, but what is above begins at 1, 3, 5, 7; keys of one object and entries of one list begin at the same column",
    ],
    [
      "a missing colon",
      `id: f\nworkflow\n  tasks: []\n`,
      '2:1 a colon is missing: write "workflow:", or indent the line if it continues the text above',
    ],
    ["a missing space", "id:f\nworkflow: {}\n", '1:1 a space is missing after the colon: write "id: f"'],
    [
      "a list beside keys",
      "id: f\n- a\n- b\n",
      '2:1 a list entry ("- ") stands where a key is expected; indent it below the key that it belongs to',
    ],
    [
      "a second document",
      "a: 1\n---\nb: 2\n",
      "2:1 a second document begins here; a source is one document, so keep each flow in a file of its own",
    ],
    [
      "a tag",
      "a: !!str 5\n",
      "1:10 tags (! or !!) are not accepted; remove it, or put text that begins with ! in quotes",
    ],
    [
      "a tag of its own on a map",
      "a: !mine {b: 1}\n",
      "1:10 tags (! or !!) are not accepted; remove it, or put text that begins with ! in quotes",
    ],
    [
      "a bare tag",
      "a: ! b\n",
      "1:6 tags (! or !!) are not accepted; remove it, or put text that begins with ! in quotes",
    ],
    [
      "a merge key in a free value",
      "a: &x {k: 1}\nb: {c: {<<: *x}}\n",
      "2:9 merge keys (<<) are not accepted; write the keys here, or put << in quotes to mean the text",
    ],
    [
      "YAML 1.1",
      "%YAML 1.1\n---\na: yes\n",
      "1:1 it declares another version of YAML; remove the line that begins with %YAML",
    ],
    ["a key that appears twice", "a: 1\na: 2\n", '2:1 the key "a" appears twice; keep one'],
    [
      "a no-break space",
      "\u00a0a: 1\n",
      "1:1 the key begins or ends with a special space, such as a no-break space; remove it",
    ],
  ])("%s", (_name, text, problem) => {
    expect(problemsOf(text)).toEqual([problem]);
  });
});

it("tells mistakes apart that have nothing to do with each other", () => {
  expect(
    problemsOf("a: @x\nb: Note: this\nc: {url: ${x}}\nd: `y`\n").map((problem) => problem.split(" ", 1)[0]),
  ).toEqual(["1:4", "2:4", "3:10"]);
});

it("reads CRLF, a BOM, and quoted << as they are", () => {
  expect(problemsOf("\ufeffid: f\r\na: 1\r\nb: {'<<': 1}\r\n")).toEqual([]);
  expect(problemsOf("id: f\r\nid:g\r\n")).toEqual(['2:1 a space is missing after the colon: write "id: g"']);
});

test("whatever is cut out of a flow or put into it, the library's own words are not shown", () => {
  const flow = `${FLOW}    - id: a\n      type: http\n      parameters: {url: "\${vars.x}", body: {list: [1, 'two', {k: v}]}}\n      timeout: 5s\n    - {id: b, type: noop, depends_on: [a]}\n  output: "\${b.output}"\n`;
  const signs = [
    "",
    "{",
    "}",
    "[",
    "]",
    '"',
    "'",
    ":",
    ": ",
    "\t",
    "\n",
    "- ",
    "|",
    "&",
    "*",
    "!",
    "%",
    "@",
    ",",
    "  ",
    "#",
    "? ",
    "---\n",
    "<<: ",
  ];
  const words =
    /YAML\.|Nested mappings|node end|YAML stream|flow-(map|seq|error)|block-(map|seq)|implicit|Implicit|indicator|undefined|collection|scalar/;
  const shown: string[] = [];
  for (let at = 0; at < flow.length; at += 11)
    for (const sign of signs)
      for (const skip of [0, 2]) shown.push(...problemsOf(flow.slice(0, at) + sign + flow.slice(at + skip)));
  expect(new Set(shown.filter((problem) => words.test(problem)))).toEqual(new Set());
}, 60_000);
