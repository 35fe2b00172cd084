import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { type ParseResult, parseSync } from "oxc-parser";

/** A module of the product, parsed. */
export interface SourceFile {
  /** Path from the top of the repository. */
  readonly path: string;
  readonly text: string;
  readonly parsed: ParseResult;
}

/** An import or re-export, static or with a literal `import()`. */
export interface ImportOf {
  readonly from: SourceFile;
  /** Path from the top of the repository, or the name of a package or of a module of Node. */
  readonly target: string;
  readonly isRelative: boolean;
  readonly isTypeOnly: boolean;
}

let files: readonly SourceFile[] | undefined;

/** All hand-written modules below `src`. */
export function readSourceFiles(): readonly SourceFile[] {
  files ??= readdirSync("src", { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".ts") && !path.startsWith("gen/"))
    .map((name) => {
      const path = join("src", name);
      const text = readFileSync(path, "utf8");
      return { path, text, parsed: parseSync(path, text) };
    });
  return files;
}

/** Everything that a file imports. */
export function listImports(file: SourceFile): readonly ImportOf[] {
  const { staticImports, staticExports, dynamicImports } = file.parsed.module;
  const toImport = (specifier: string, isTypeOnly: boolean): ImportOf => {
    const isRelative = specifier.startsWith(".");
    const target = isRelative ? relative(".", join(dirname(file.path), specifier)) : specifier;
    return { from: file, isRelative, isTypeOnly, target };
  };
  return [
    ...staticImports.map(({ moduleRequest, entries }) =>
      toImport(moduleRequest.value, entries.length > 0 && entries.every((entry) => entry.isType)),
    ),
    ...staticExports.flatMap(({ entries }) =>
      entries.flatMap((entry) => (entry.moduleRequest ? [toImport(entry.moduleRequest.value, entry.isType)] : [])),
    ),
    ...dynamicImports.flatMap(({ moduleRequest }) => {
      const literal = /^["'](.+)["']$/.exec(file.text.slice(moduleRequest.start, moduleRequest.end))?.[1];
      return literal === undefined ? [] : [toImport(literal, false)];
    }),
  ];
}

/** The folder below `src` that a path lies in; `main.ts` for itself. */
export function layerOf(path: string): string {
  return path.split("/")[1] ?? path;
}
