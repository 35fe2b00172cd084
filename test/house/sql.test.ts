import { expect, test } from "vitest";
import { readSourceFiles } from "./source-files.ts";

/** Texts that select something, in order. */
const STATEMENTS = /`[^`]*\bSELECT\b[^`]*`|"[^"\n]*\bSELECT\b[^"\n]*"/g;
const ORDERS = /ORDER BY ((?:[\w.]+(?: DESC| ASC)?(?:, )?)+)/g;

/** Names in an ORDER BY that mean a column of the result, which is computed from the stored column of that name. */
function hiddenColumnsOf(statement: string): string[] {
  const names = [...statement.matchAll(ORDERS)].flatMap(([, list = ""]) => list.split(/(?: DESC| ASC)?(?:, |$)/));
  return names.filter((name) => {
    if (!/^\w+$/.test(name)) return false;
    const computed = new RegExp(`\\b${name}\\b[^,]*\\sAS "?${name}\\b`);
    return computed.test(statement);
  });
}

// Cause: a page of waiting tasks was sorted by computed times, so the whole line was read for each page.
test("a statement is ordered by what is stored, which an index has, and not by what is computed from it", () => {
  expect(hiddenColumnsOf("SELECT a::text AS a, b FROM t ORDER BY b, a DESC")).toEqual(["a"]);
  expect(hiddenColumnsOf("SELECT a::text AS a FROM t ORDER BY t.a")).toEqual([]);
  const found = readSourceFiles()
    .filter(({ path }) => path.startsWith("src/store/"))
    .flatMap(({ path, text }) =>
      [...text.matchAll(STATEMENTS)].flatMap(([statement]) =>
        hiddenColumnsOf(statement).map((name) => ({ path, name })),
      ),
    );
  expect(found).toEqual([]);
});
