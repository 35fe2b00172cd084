import { expect, test } from "vitest";
import { readSourceFiles } from "./source-files.ts";

/** The arguments of each call of `.regex(…)`. */
function patternsOf(text: string): string[] {
  return [...text.matchAll(/\.regex\(/g)].map(({ index }) => {
    const start = index + ".regex(".length;
    // Up to the end of the statement's line, or of the options: enough to see whether there is a sentence.
    return text.slice(start, start + 200).split(/\)[\s]*\n|\)\.|\),/)[0] ?? "";
  });
}

// Cause: a bad flow_id of a subflow was answered with the regular expression that it does not match.
test("every pattern of a schema has a sentence for people", () => {
  const found = readSourceFiles().flatMap(({ path, text }) => patternsOf(text).map((call) => ({ path, call })));
  expect(found.length).toBeGreaterThan(8);
  expect(found.filter(({ call }) => !/error/i.test(call))).toEqual([]);
});
