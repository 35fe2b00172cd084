/** Documents are plain American English in lines that fit an editor. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

const MAX_COLUMNS = 120;

/** Words and phrases of an older style, each with the usual one. */
const RETIRED: readonly (readonly [word: RegExp, instead: string])[] = [
  [/\bwhoever\b/i, "the caller that, anyone who"],
  [/\bin place of\b/i, "instead of"],
  [/\bby itself\b|\bby themselves\b/i, "on its own, automatically"],
  [/\bhears? of\b/i, "is notified of, learns of"],
  [/\buntold\b/i, "not yet notified"],
  [/\b(un)?parked\b/i, "evicted"],
  [/\binsist(ed|s)? (that|on|until)\b/i, "retries until, requires"],
  [/\bset aside\b|\bsets aside\b/i, "quarantined"],
  [/\bin hand\b/i, "current"],
  [/\bkeeper\b/i, "lease renewer"],
  [/\bsay nothing of\b|\bsays nothing of\b/i, "does not mention"],
  [/\bmakes no difference\b/i, "does not matter"],
  [/\bis content with\b/i, "accepts"],
  [/\bfor ever\b/i, "forever"],
  [/\bmend(ed|ing|s)?\b/i, "fix"],
];

/** Documents that are still to be edited. */
const PENDING = new Set<string>(["CHANGELOG.md"]);

const documents = [
  ...readdirSync(".").filter((name) => name.endsWith(".md")),
  ...readdirSync("docs", { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".md"))
    .map((name) => join("docs", name)),
].filter((path) => !PENDING.has(path));

/** The lines of a document outside of code blocks, with their numbers. */
function proseOf(path: string): { readonly place: string; readonly line: string }[] {
  let isCode = false;
  return readFileSync(path, "utf8")
    .split("\n")
    .flatMap((line, index) => {
      if (line.trimStart().startsWith("```")) isCode = !isCode;
      return isCode ? [] : [{ place: `${path}:${index + 1}`, line }];
    });
}

test(`lines of documents have at most ${MAX_COLUMNS} columns; tables, links, and code may be longer`, () => {
  const long = documents
    .flatMap(proseOf)
    .filter(({ line }) => line.length > MAX_COLUMNS && !line.trimStart().startsWith("|") && !/\]\(|https?:/.test(line));
  expect(long.map(({ place, line }) => `${place} has ${line.length}`)).toEqual([]);
});

/** Folders whose comments are edited; others follow. */
const EDITED = ["src/config", "src/tasks", "src/telemetry", "scripts", "src/engine/machine"];

test(`comments in edited folders have at most ${MAX_COLUMNS} columns, and no retired words`, () => {
  const files = EDITED.flatMap((folder) =>
    readdirSync(folder, { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".ts"))
      .map((name) => join(folder, name)),
  );
  const wrong = files.flatMap((path) =>
    readFileSync(path, "utf8")
      .split("\n")
      .flatMap((line, index) => {
        if (!/^\s*(\/\*\*|\*|\/\/) /.test(line)) return [];
        const word = RETIRED.find(([retired]) => retired.test(line))?.[1];
        if (line.length <= MAX_COLUMNS && word === undefined) return [];
        return [`${path}:${index + 1} ${word === undefined ? "is too long" : `uses a retired word; better: ${word}`}`];
      }),
  );
  expect(wrong).toEqual([]);
});

test("documents do not use retired words", () => {
  const found = documents.flatMap(proseOf).flatMap(({ place, line }) =>
    RETIRED.flatMap(([word, instead]) => {
      const [used] = word.exec(line.replaceAll(/`[^`]*`/g, "")) ?? [];
      return used === undefined ? [] : [`${place}: "${used}"; better: ${instead}`];
    }),
  );
  expect(found).toEqual([]);
});
