/** No pattern takes time in proportion to the square of a text: callers, models, and servers send megabytes. */
import { expect, test } from "vitest";
import { readSourceFiles } from "./source-files.ts";

/** What a text begins with, what it repeats, and what keeps it from matching. */
const BEGINNINGS = ["", '"', "{", "```", "<", "/", "a", "0", "'", "http://", "$", "[", "-", ":"];
const REPEATED = [
  ...["0", "a", "A", "/", " ", "\t", "\n", '"', '\\"', "`", "```", "```\n", "~", "{", "}", "{a", "[", "(", "-", "_"],
  ...[".", "a.", "0.", "0a", "=", "a=", ":", "a:", "%", "<", "\\", "\\n", "+", "@", "a@", ",", "'", "é", "$", "${"],
  "x ",
];
const ENDS = ["\x01", "!\n\x01"];

const [SHORT, TIMES] = [4_000, 8];

/** Shorter times are not compared: they are noise, and a quadratic pattern takes longer. */
const LEAST_MS = 2;

interface Pattern {
  readonly pattern: string;
  readonly flags: string;
}

/** The patterns that a file has as literals. */
function patternsOf(program: unknown): Pattern[] {
  const found: Pattern[] = [];
  JSON.stringify(program, (_, value: unknown) => {
    if (typeof value === "object" && value !== null && "regex" in value) found.push(value.regex as Pattern);
    return typeof value === "bigint" ? null : value;
  });
  return found;
}

function timeOf(pattern: RegExp, text: string): number {
  pattern.lastIndex = 0;
  const began = performance.now();
  if (pattern.global) for (const _ of text.matchAll(pattern));
  else pattern.test(text);
  return performance.now() - began;
}

/** A text for which eight times the length takes more than 24 times as long, the least of some rounds; null: none. */
function findSlow(pattern: RegExp): string | null {
  for (const beginning of BEGINNINGS) {
    for (const unit of REPEATED) {
      for (const end of ENDS) {
        const textOf = (length: number): string => beginning + unit.repeat(Math.ceil(length / unit.length)) + end;
        const [short, long] = [textOf(SHORT), textOf(TIMES * SHORT)];
        if (timeOf(pattern, short) < LEAST_MS) continue;
        const least = (text: string): number => Math.min(...Array.from({ length: 5 }, () => timeOf(pattern, text)));
        const shortMs = least(short);
        if (shortMs >= LEAST_MS && least(long) > 3 * TIMES * shortMs) return JSON.stringify(beginning + unit);
      }
    }
  }
  return null;
}

// Cause: a budget of 60,000 digits in a goal held the event loop for 22 seconds, and one answer of a model ended every
// instance that read it.
test("no pattern takes time in proportion to the square of a text", { timeout: 120_000 }, () => {
  const patterns = readSourceFiles().flatMap(({ path, parsed }) =>
    patternsOf(parsed.program).map(({ pattern, flags }) => ({ path, pattern: new RegExp(pattern, flags) })),
  );
  expect(patterns.length).toBeGreaterThan(200);
  const slow = patterns.flatMap(({ path, pattern }) => {
    const text = findSlow(pattern);
    return text === null ? [] : [`${path} ${pattern}: ${text} again and again`];
  });
  expect(slow).toEqual([]);
});
