import { expect, test } from "vitest";
import { readSourceFiles, type SourceFile } from "./source-files.ts";

/** Lists that may pass on what others export. */
const LISTS = new Set(["src/tasks/index.ts", "src/tools/index.ts", "src/api/services/index.ts"]);

/** Ports and other modules whose exports are promises to code elsewhere. A name that ends in `/` is a folder. */
const DOCUMENTED = [
  "src/api/client/",
  "src/base/",
  "src/engine/ports/",
  "src/flows/ports/",
  "src/tasks/define.ts",
  "src/tools/adapter.ts",
];

/** Export declarations of `file` without a doc block directly above them. */
function findUndocumented({ parsed, text }: SourceFile): readonly string[] {
  const blocks = parsed.comments.filter((comment) => comment.type === "Block" && comment.value.startsWith("*"));
  return parsed.program.body.flatMap((statement) => {
    if (statement.type !== "ExportNamedDeclaration" || statement.declaration === null) return [];
    const isDocumented = blocks.some(
      (block) => block.end <= statement.start && text.slice(block.end, statement.start).trim() === "",
    );
    return isDocumented ? [] : [text.slice(statement.start, statement.start + 60).split("\n")[0] ?? ""];
  });
}

test("every export of a port, a client, or a base module has a doc block", () => {
  const found = readSourceFiles()
    .filter(({ path }) => DOCUMENTED.some((place) => path === place || (place.endsWith("/") && path.startsWith(place))))
    .flatMap((file) => findUndocumented(file).map((name) => `${file.path}: ${name}`));
  expect(found).toEqual([]);
});

test("only lists pass on the exports of other files", () => {
  const found = readSourceFiles().filter(
    (file) =>
      !LISTS.has(file.path) &&
      file.parsed.module.staticExports.some(({ entries }) =>
        entries.some((entry) => entry.moduleRequest && !entry.isType),
      ),
  );
  expect(found.map((file) => file.path)).toEqual([]);
});

/** Modules that are started, as a process or a thread. */
const PROGRAMS = /^src\/main\.ts$|[-/](main|thread|worker)\.ts$/;

test("no module does work when it is imported, programs excepted", () => {
  const found = readSourceFiles()
    .filter((file) => !PROGRAMS.test(file.path))
    .flatMap((file) =>
      file.parsed.program.body
        // A loop that fills a table and a check of types are no work.
        .filter(
          (statement) =>
            /^(While|DoWhile|Try|If)/.test(statement.type) ||
            (statement.type === "ExpressionStatement" && statement.expression.type !== "TSSatisfiesExpression"),
        )
        .map((statement) => `${file.path}: ${file.text.slice(statement.start, statement.end).split("\n")[0]}`),
    );
  expect(found).toEqual([]);
});
