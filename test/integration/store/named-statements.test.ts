/** Statements of SQL that pages name: PostgreSQL plans them, so their tables, columns, and functions exist. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { createTestDatabase } from "../../support/postgres.ts";

const { database } = await createTestDatabase();

const pages = readdirSync("docs", { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".md"));

/** Statements in code. One with an ellipsis is a form, not a statement. */
const statements = pages.flatMap((page) =>
  [...readFileSync(join("docs", page), "utf8").matchAll(/`((?:SELECT|DELETE FROM|UPDATE|INSERT INTO)\s[^`]+)`/g)]
    .map(([, text = ""]) => ({ page, text: text.replaceAll(/\s+/g, " ") }))
    .filter(({ text }) => !text.includes("…")),
);

test("pages name statements", () => {
  expect(statements.length).toBeGreaterThan(2);
});

describe.each(statements)("$page: $text", ({ text }) => {
  test("PostgreSQL plans it", async () => {
    await database.reads.query(`EXPLAIN ${text}`);
  });
});
