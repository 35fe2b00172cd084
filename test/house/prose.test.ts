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
  [/\binsists?\b/i, "retries until"],
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
const PENDING = new Set<string>([
  "CHANGELOG.md",
  "docs/adr/0001-langgraph-is-the-graph-model.md",
  "docs/adr/0002-a-pure-machine-around-a-group-commit.md",
  "docs/adr/0003-one-port.md",
  "docs/adr/0004-embedded-postgres.md",
  "docs/adr/0005-expressions-are-cel.md",
  "docs/adr/0006-contract-first.md",
  "docs/adr/0007-node-24-without-a-build-step.md",
  "docs/adr/0008-redis-and-kafka-are-never-the-truth.md",
  "docs/adr/0009-retries-are-durable.md",
  "docs/adr/0010-shards-leases-fencing.md",
  "docs/adr/0011-one-bad-run-never-takes-the-service-down.md",
  "docs/adr/0012-one-configuration.md",
  "docs/adr/0013-package-names.md",
  "docs/adr/0014-langgraph-in-its-own-process.md",
  "docs/adr/0015-error-domain.md",
  "docs/adr/0016-expressions-on-a-meter.md",
  "docs/adr/0017-own-validation-and-encoding.md",
  "docs/adr/0018-payloads-stay-in-the-journal.md",
  "docs/adr/0019-dependencies.md",
  "docs/adr/0020-counts-of-runs-are-kept-by-triggers.md",
  "docs/adr/0021-we-evaluate-expressions.md",
  "docs/adr/0025-decisions-of-people.md",
  "docs/adr/0026-rules-of-flows.md",
  "docs/adr/0027-warnings-of-flows.md",
  "docs/adr/0030-one-set-of-rules-on-the-wire.md",
  "docs/adr/0031-instances-that-come-and-go.md",
  "docs/adr/0033-foreign-judges.md",
  "docs/config.md",
  "docs/errors.md",
  "docs/flows.md",
  "docs/how-to/add-an-rpc.md",
  "docs/how-to/graph-flows.md",
  "docs/metrics.md",
  "docs/states.md",
]);

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

test("documents do not use retired words", () => {
  const found = documents.flatMap(proseOf).flatMap(({ place, line }) =>
    RETIRED.flatMap(([word, instead]) => {
      const [used] = word.exec(line.replaceAll(/`[^`]*`/g, "")) ?? [];
      return used === undefined ? [] : [`${place}: "${used}"; better: ${instead}`];
    }),
  );
  expect(found).toEqual([]);
});
