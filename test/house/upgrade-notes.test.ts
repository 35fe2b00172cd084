/** The upgrade notes name what changed since the build that rolling upgrades are tested from. */
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { FORMAT, JOURNAL_VERSION } from "../../src/engine/shard/ownership/journal-format.ts";

const NOTES = readFileSync("docs/operate/upgrade-notes.md", "utf8");
const OLD = readFileSync("test/crash/upgrade/old-release.txt", "utf8").trim();
const MIGRATIONS = "src/store/migrations";

/** A file of the old build; that of this one where the clone has no history. */
function readOld(path: string): string {
  const { status, stdout } = spawnSync("git", ["show", `${OLD}:${path}`], { encoding: "utf8", maxBuffer: 1 << 28 });
  return status === 0 ? stdout : readFileSync(path, "utf8");
}

/** The section whose heading begins with this. */
function sectionOf(heading: string): string {
  return NOTES.split(/^## /m).find((section) => section.startsWith(heading)) ?? "";
}

/** Rows of the tables of a page by the name in their first cell, without the text that explains it. */
function listRows(page: string, columns: number): ReadonlyMap<string, string> {
  return new Map(
    page.split("\n").flatMap((line) => {
      const [, name] = /^\| `([a-z_.]+)` \|/.exec(line) ?? [];
      return name === undefined ? [] : [[name, line.split(" | ").slice(0, columns).join(" | ")] as const];
    }),
  );
}

test("the first section is about that build", () => {
  const [, first] = NOTES.split(/^## /m);
  expect(first).toMatch(new RegExp(`^From commit ${OLD.slice(0, 8)}\\n`));
});

test.each([
  ["docs/config.md", 5],
  ["docs/metrics.md", 3],
])("what is gone from %s, or has other names, values, or labels, is in the notes", (path, columns) => {
  const now = listRows(readFileSync(path, "utf8"), columns);
  const before = listRows(readOld(path), columns);
  expect(before.size).toBeGreaterThan(50);
  const notes = sectionOf("From commit");
  const missing = [...before].filter(([name, row]) => now.get(name) !== row && !notes.includes(`\`${name}\``));
  expect(missing.map(([name]) => name)).toEqual([]);
});

test("each migration that the build lacks is in the notes", () => {
  const { status, stdout } = spawnSync("git", ["ls-tree", "--name-only", OLD, `${MIGRATIONS}/`], { encoding: "utf8" });
  const files = readdirSync(MIGRATIONS).map((name) => `${MIGRATIONS}/${name}`);
  const old = status === 0 ? stdout.trim().split("\n") : files;
  expect(old.length).toBeGreaterThan(40);
  const notes = sectionOf("From commit");
  expect(notes).toContain(`The schema has ${files.length} migrations`);
  expect(files.filter((path) => !old.includes(path) && !notes.includes(path))).toEqual([]);
});

test("migrations that index or rewrite tables of earlier ones are in the notes", () => {
  // Few rows, or rows of a moment.
  const small =
    /^(run_counts|run_count_changes|waiting_counts|waiting_count_changes|flow_versions|graph_\w+|outbox_rejected|undelivered_changes|rejected_messages|kafka_\w+|tool_overrides|limit_slots)$/;
  const made = new Set<string>();
  const slow = readdirSync(MIGRATIONS)
    .sort()
    .flatMap((name, index) => {
      const text = readFileSync(join(MIGRATIONS, name), "utf8").replaceAll(/--.*$/gm, "");
      const rewritten = [
        ...text.matchAll(/^\s*CREATE (?:UNIQUE )?INDEX \w+\s+ON orchestrator\.(\w+)/gm),
        ...text.matchAll(/^\s*(?:UPDATE|DELETE FROM) orchestrator\.(\w+)/gm),
        ...text.matchAll(/^\s*ALTER TABLE orchestrator\.(\w+)[^;]*ADD PRIMARY KEY/gm),
      ].some(([, table = ""]) => made.has(table) && !small.test(table));
      for (const [, table = ""] of text.matchAll(/CREATE TABLE orchestrator\.(\w+)/g)) made.add(table);
      return rewritten ? [index + 1] : [];
    });
  const rows = [...sectionOf("From older").matchAll(/^\| ([\d, ]+) \|/gm)];
  const named = rows.flatMap(([, numbers = ""]) => numbers.split(", ").map(Number));
  expect(slow.length).toBeGreaterThan(5);
  expect(slow.filter((number) => !named.includes(number))).toEqual([]);
});

test("every version of the journal says what it brings", () => {
  const versions = [...sectionOf("Versions of the journal").matchAll(/^\| (\d+) \|/gm)].map(([, number]) =>
    Number(number),
  );
  expect(versions).toEqual(Array.from({ length: JOURNAL_VERSION }, (_, index) => index + 1));
  const since = [...Object.values(FORMAT.since), ...Object.values(FORMAT.fieldsSince)];
  expect(since.filter((version) => version !== undefined && !versions.includes(version))).toEqual([]);
});
