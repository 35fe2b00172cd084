/** What the product exports, the product uses. */
import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { listImports, readSourceFiles, type SourceFile } from "./source-files.ts";

/** Lists that are read as a whole, and modules that are started or loaded by name. */
const ENTRIES = /^src\/main\.ts$|[-/](main|thread|worker|process)\.ts$/;

/** Exports that only others than the product use, each for its reason. */
const KEPT: ReadonlySet<string> = new Set([
  // Codes that must never come back: the tests of the catalog hold it against them.
  "src/base/error-catalog.ts: RESERVED_CODES",
]);

/** What writes generated files uses parts of the product, too. */
const SCRIPTS = readdirSync("scripts")
  .filter((name) => name.endsWith(".ts"))
  .map((name) => readFileSync(`scripts/${name}`, "utf8"))
  .join("\n");

/** Names that other files of the product take from each file: by import, or of a module that is loaded late. */
function readUses(files: readonly SourceFile[]): ReadonlyMap<string, ReadonlySet<string>> {
  const uses = new Map<string, Set<string>>();
  for (const file of files) {
    const imports = listImports(file).filter(({ isRelative }) => isRelative);
    for (const { target } of imports) {
      const names = uses.get(target) ?? new Set();
      uses.set(target, names);
      // Any word of the importing file: which module a name comes from does not matter here.
      for (const [word] of file.text.matchAll(/[A-Za-z0-9_$]+/g)) names.add(word);
    }
  }
  return uses;
}

/** Values that a file exports and nobody in the product uses, the file itself included. */
function findUnused(file: SourceFile, uses: ReadonlyMap<string, ReadonlySet<string>>): readonly string[] {
  const names = file.parsed.module.staticExports.flatMap(({ entries }) =>
    entries.flatMap(({ exportName }) => (exportName.name === null ? [] : [exportName.name])),
  );
  return names.filter((name) => {
    if (uses.get(file.path)?.has(name) === true || KEPT.has(`${file.path}: ${name}`)) return false;
    if (SCRIPTS.includes(file.path) && SCRIPTS.includes(name)) return false;
    return (file.text.match(new RegExp(`\\b${name.replaceAll("$", "\\$")}\\b`, "g")) ?? []).length < 2;
  });
}

// Cause: code that only tests import stays after the product has stopped using it.
test("whatever a module exports is used by the product, and not by tests alone", () => {
  const files = readSourceFiles();
  const uses = readUses(files);
  const found = files
    .filter(({ path }) => !ENTRIES.test(path))
    .flatMap((file) => findUnused(file, uses).map((name) => `${file.path}: ${name}`));
  expect(found).toEqual([]);
});
