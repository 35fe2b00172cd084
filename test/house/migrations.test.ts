import { expect, test } from "vitest";
import { readMigrations } from "../../src/store/sql/migrate.ts";

// Cause: two branches took numbers with a gap between them, and only suites with a database saw it.
test("migrations are numbered without gaps", () => {
  expect(readMigrations().length).toBeGreaterThan(0);
});

test("each migration says which releases can work on what it leaves behind", () => {
  const silent = readMigrations().filter(({ version, sql }) => version > 48 && !sql.startsWith("-- min_reader: "));
  expect(silent.map(({ name }) => name)).toEqual([]);
});
