/** Documents are plain American English in lines that fit an editor. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseSync } from "oxc-parser";
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
  [/\b(is|are) looked(?! (at|up|for))\b/i, "check"],
  [/^ What .{1,40} (takes?|stands? on)\. $/, "no comment: the name says it"],
];

const documents = [
  // Everybody adds to the changelog; a release edits it.
  ...readdirSync(".").filter((name) => name.endsWith(".md") && name !== "CHANGELOG.md"),
  ...readdirSync("docs", { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".md"))
    .map((name) => join("docs", name)),
  ...readdirSync("observability")
    .filter((name) => name.endsWith(".md"))
    .map((name) => join("observability", name)),
];

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

/** Folders whose comments are held to this style. */
const EDITED = ["bench", "clients/typescript", "examples", "scripts", "src", "test"];

const editedFiles = EDITED.flatMap((folder) =>
  readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts") && !/node_modules|^gen\//.test(name))
    .map((name) => join(folder, name)),
);

/** The comments of a module as running text, so that a phrase may wrap. Line comments below each other are one. */
function commentsOf(path: string): readonly { readonly place: string; readonly line: string }[] {
  const text = readFileSync(path, "utf8");
  const found: { readonly place: string; line: string; end: number }[] = [];
  for (const { type, value, start, end } of parseSync(path, text).comments) {
    const line = value.replaceAll(/^[ \t]*\*+/gm, "").replaceAll(/\s+/g, " ");
    const before = found.at(-1);
    if (type === "Line" && before !== undefined && text.slice(before.end, start).trim() === "") {
      before.line += line;
      before.end = end;
    } else found.push({ place: `${path}:${text.slice(0, start).split("\n").length}`, line, end });
  }
  return found;
}

/** The retired words of a line, quoted code excepted. */
function findRetired({ place, line }: { readonly place: string; readonly line: string }): readonly string[] {
  const prose = line.replaceAll(/`[^`]*`/g, "");
  return RETIRED.flatMap(([word, instead]) => {
    const [used] = word.exec(prose) ?? [];
    return used === undefined ? [] : [`${place}: "${used}"; better: ${instead}`];
  });
}

const contracts = ["contracts", "internal"].flatMap((folder) =>
  readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".proto"))
    .map((name) => join(folder, name)),
);

/** Sources in other languages, whose comments begin with `//` or `#`. Migrations that have run never change. */
const others = [
  ...readdirSync(".").filter((name) => name === "Makefile" || name.endsWith(".yaml")),
  ...["scripts", "examples/workers"].flatMap((folder) =>
    readdirSync(folder, { recursive: true, encoding: "utf8" })
      .filter((name) => /\.(go|py|sh|yaml)$/.test(name))
      .map((name) => join(folder, name)),
  ),
];

test(`comments have at most ${MAX_COLUMNS} columns`, () => {
  const long = [...editedFiles, ...others].flatMap((path) =>
    readFileSync(path, "utf8")
      .split("\n")
      .flatMap((line, index) =>
        line.length > MAX_COLUMNS && /^\s*(\/\*\*|\*|\/\/|#) /.test(line) ? [`${path}:${index + 1}`] : [],
      ),
  );
  expect(long).toEqual([]);
});

/** The comments of a contract, each as running text. */
function remarksOf(path: string): readonly { readonly place: string; readonly line: string }[] {
  return [...readFileSync(path, "utf8").matchAll(/(^[ \t]*\/\/.*\n)+/gm)].map(([text], index) => ({
    place: `${path}, comment ${index + 1}`,
    line: text.replaceAll(/^[ \t]*\/\//gm, "").replaceAll(/\s+/g, " "),
  }));
}

test("comments of contracts do not use retired words", () => {
  expect(contracts.flatMap(remarksOf).flatMap(findRetired)).toEqual([]);
});

test("documents do not use retired words", () => {
  expect(documents.flatMap(proseOf).flatMap(findRetired)).toEqual([]);
});

test("comments in edited folders do not use retired words", () => {
  expect(editedFiles.flatMap(commentsOf).flatMap(findRetired)).toEqual([]);
});
