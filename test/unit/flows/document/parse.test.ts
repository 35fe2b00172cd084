import { describe, expect, it } from "vitest";
import { isOrchestratorError } from "../../../../src/base/errors.ts";
import { MAX_SOURCE_BYTES, parseFlowSource } from "../../../../src/flows/document/parse.ts";
import { relativeTime } from "../../../support/relative-time.ts";

function refusal(text: string): string {
  try {
    parseFlowSource(text);
  } catch (error) {
    if (isOrchestratorError(error)) return `${error.code}: ${error.message}`;
    throw error;
  }
  return "accepted";
}

describe("parseFlowSource", () => {
  it("reads YAML and JSON alike", () => {
    const yaml = 'id: a\nlist:\n  - 1\n  - {b: "x", on: yes, none: ~, t: true, f: 1.5}\ntext: |\n  two\n  lines\n';
    const value = { id: "a", list: [1, { b: "x", on: "yes", none: null, t: true, f: 1.5 }], text: "two\nlines\n" };
    expect(parseFlowSource(yaml).value).toEqual(value);
    expect(parseFlowSource(JSON.stringify(value)).value).toEqual(value);
    expect(parseFlowSource(JSON.stringify(value, null, "\t")).value).toEqual(value);
    expect(parseFlowSource('{"pair": "\\ud83d\\ude00", "slash": "a\\/b", "tab": "\\t"}').value).toEqual({
      pair: "😀",
      slash: "a/b",
      tab: "\t",
    });
  });

  it("expands small anchors", () => {
    expect(parseFlowSource("a: &x {k: [1]}\nb: *x\nc: [*x, *x]\n").value).toEqual({
      a: { k: [1] },
      b: { k: [1] },
      c: [{ k: [1] }, { k: [1] }],
    });
  });

  it("knows where values are, and the nearest parent of values that are missing", () => {
    const source = parseFlowSource(
      "id: a\nworkflow:\n  tasks:\n    - id: x\n      timeout: 1\n    - {id: y, type: noop}\n",
    );
    expect(source.positionOf(["workflow", "tasks", 0, "timeout"])).toEqual({ line: 5, column: 7 });
    expect(source.positionOf(["workflow", "tasks", 1, "type"])).toEqual({ line: 6, column: 15 });
    expect(source.positionOf(["workflow", "tasks", 1, "nothing", "there"])).toEqual({ line: 6, column: 7 });
    expect(source.positionOf([])).toEqual({ line: 1, column: 1 });
  });

  it("knows how a number was written", () => {
    expect(parseFlowSource("version: 1.10\n").textOf(["version"])).toBe("1.10");
  });

  it.each([
    ["nothing", "", /empty/],
    ["a comment alone", "# hello\n", /empty/],
    ["a key that appears twice", "id: a\nworkflow: {}\nid: b\n", /"id" appears twice; keep one \(line 3, column 1\)/],
    ["a key that appears twice in JSON", '{"a": {"b": 1, "b": 2}}', /"b" appears twice/],
    ["broken YAML", "a: [1, 2\nb: 3\n", /FLOW_SOURCE_INVALID.*line/],
    ["two documents", "a: 1\n---\nb: 2\n", /FLOW_SOURCE_INVALID/],
    ["a tag", "a: !!js/function 'x'\n", /FLOW_SOURCE_INVALID/],
    ["a tag on a map", "a: !mine {b: 1}\n", /FLOW_SOURCE_INVALID/],
    ["binary", "a: !!binary aGVsbG8=\n", /FLOW_SOURCE_INVALID/],
    ["a set", "a: !!set {b}\n", /FLOW_SOURCE_INVALID/],
    ["an anchor that does not exist", "a: *nope\n", /FLOW_SOURCE_INVALID/],
    ["an anchor that contains itself", "a: &x [*x]\n", /FLOW_SOURCE_INVALID/],
    ["infinity", "a: .inf\n", /not a number that JSON can hold/],
    ["not a number", "a: .nan\n", /not a number that JSON can hold/],
    ["an integer that is not exact", "a: 9007199254740993\n", /too large to be exact; write it in quotes/],
    ["NUL", 'a: "\\0"\n', /NUL/],
    ["half a surrogate pair", 'a: "\\ud800"\n', /surrogate/],
    ["a list as key", "? [a, b]\n: 1\n", /keys must be text/],
  ])("refuses %s", (_what, text, says) => {
    expect(refusal(text)).toMatch(says);
  });

  // Cause: in free values a merge key was kept as a key named <<, and sent as such.
  it("refuses merge keys everywhere", () => {
    expect(refusal("a: &x {k: 1}\nb:\n  <<: *x\n")).toMatch(/merge keys \(<<\) are not accepted.*line 3/);
    expect(parseFlowSource("b:\n  '<<': 1\n").value).toEqual({ b: { "<<": 1 } });
  });

  it("keeps __proto__ and constructor as keys", () => {
    const value = parseFlowSource("__proto__: {polluted: true}\nconstructor: {prototype: {polluted: true}}\n")
      .value as object;
    expect(Object.keys(value)).toEqual(["__proto__", "constructor"]);
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
    expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
  });

  it("refuses more than 256 KB before reading", () => {
    expect(refusal(`a: "${"x".repeat(MAX_SOURCE_BYTES)}"`)).toMatch(/PAYLOAD_TOO_LARGE/);
  });
});

describe("hostile sources", () => {
  const laughs = `a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]\n${Array.from({ length: 9 }, (_, i) => `a${i + 1}: &a${i + 1} [${`*a${i}, `.repeat(8)}*a${i}]\n`).join("")}`;
  const merges = `a0: &a0 {k: 1}\n${Array.from({ length: 2_000 }, (_, i) => `a${i + 1}: &a${i + 1}\n  <<: [*a${i}]\n`).join("")}`;
  const cases: readonly (readonly [what: string, text: string, says: RegExp])[] = [
    ["billion laughs", laughs, /aliases|values/],
    ["a long chain of merge keys", merges, /aliases|keys/],
    ["20,000 levels of brackets", "[".repeat(20_000), /FLOW_SOURCE_INVALID/],
    ["60,000 levels of braces with keys", "{a: ".repeat(60_000), /FLOW_SOURCE_INVALID/],
    ["60,000 levels of JSON", '{"a":'.repeat(50_000), /FLOW_SOURCE_INVALID/],
    ["100 levels that are closed", `${"[".repeat(100)}${"]".repeat(100)}`, /deeper than 64/],
    ["block sequences in block sequences", "- ".repeat(100_000), /FLOW_SOURCE_INVALID/],
    ["question marks", "? ".repeat(100_000), /FLOW_SOURCE_INVALID/],
    ["mappings on one line", "a: ".repeat(80_000), /FLOW_SOURCE_INVALID/],
    [
      "20,000 keys",
      `{${Array.from({ length: 20_000 }, (_, i) => `k${i}: 1`).join(", ")}}`,
      /words and signs|more than 10000 keys/,
    ],
    ["60,000 values", `[${"1,".repeat(60_000)}1]`, /words and signs|more than 20000 values/],
    ["a key of 200 KB", `"${"k".repeat(200_000)}": 1`, /accepted|FLOW_SOURCE_INVALID/],
    [
      "anchors without end",
      Array.from({ length: 15_000 }, (_, i) => `- &a${i} x\n`).join(""),
      /accepted|FLOW_SOURCE_INVALID/,
    ],
    ["quotes that are not closed", '"'.repeat(100_001), /FLOW_SOURCE_INVALID/],
    ["flow indicators", "[,".repeat(60_000), /FLOW_SOURCE_INVALID/],
    ["closing brackets", "]".repeat(200_000), /no opening bracket/],
    ["commas", `[${",".repeat(200_000)}]`, /words and signs/],
    ["comments", "#\n".repeat(120_000), /words and signs/],
    ["aliases to nothing", "*a ".repeat(80_000), /FLOW_SOURCE_INVALID/],
    ["directives", "%a\n".repeat(60_000), /FLOW_SOURCE_INVALID/],
    ["documents", "---\n".repeat(60_000), /FLOW_SOURCE_INVALID/],
    [
      "a large anchor twice",
      `a: &x {${Array.from({ length: 4_900 }, (_, i) => `k${i}: 1`).join(",")}}\nb: *x\nc: *x\n`,
      /more than 10000 keys/,
    ],
    ["tabs", "\t".repeat(200_000), /FLOW_SOURCE_INVALID/],
    [
      "a deep indentation",
      Array.from({ length: 600 }, (_, i) => `${" ".repeat(i)}a:\n`).join(""),
      /FLOW_SOURCE_INVALID/,
    ],
  ];

  it("takes 20,000 values and 10,000 keys", () => {
    expect(refusal(`[${"1,".repeat(19_000)}1]`)).toBe("accepted");
    expect(refusal(`{${Array.from({ length: 9_999 }, (_, i) => `k${i}: 1`).join(", ")}}`)).toBe("accepted");
  });

  it.each(cases)(
    "%s is dealt with quickly",
    (_what, text, says) => {
      // The measure is an honest source of nearly the largest size.
      const honest = `list:\n${Array.from({ length: 8_000 }, (_, i) => `  - "entry ${i} of the list"\n`).join("")}`;
      const ratio = relativeTime(
        () => void expect(refusal(text)).toMatch(says),
        () => void parseFlowSource(honest),
        2,
      );
      expect(ratio).toBeLessThan(12);
    },
    30_000,
  );
});
