import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

/** Where chance decides when a process is killed: the pause is what is tested. */
const BY_CHANCE = /^test\/(crash\/|kafka\/killing-messages)/;

/** A test that waits for a time instead of for what it expects. */
const SLEEPS = [
  /\b(setTimeout|scheduler)\b[^}]*\} from "node:timers\/promises"/,
  /new Promise(<\w+>)?\(\(?(\w+)\)? => (void )?setTimeout\(\2,/,
  /new Promise(<\w+>)?\(\(?(\w+)\)? => \{\s*setTimeout\(\2,/,
];

test("no test sleeps: it waits with `eventually` for what it expects", () => {
  const tests = readdirSync("test", { recursive: true, encoding: "utf8" })
    .map((name) => join("test", name))
    .filter((path) => path.endsWith(".test.ts") && !BY_CHANCE.test(path));
  expect(tests.length).toBeGreaterThan(50);
  expect(tests.filter((path) => SLEEPS.some((pattern) => pattern.test(readFileSync(path, "utf8"))))).toEqual([]);
});
