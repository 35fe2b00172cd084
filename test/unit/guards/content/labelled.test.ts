/**
 * The labelled texts that ship with the product. Lines with an odd number are for tuning: a rule may be changed because
 * of them. Figures come from the others.
 */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { z } from "zod";
import { CONTENT_RULES } from "../../../../src/guards/content/rules.ts";
import { createContentScanner } from "../../../../src/guards/content/scan.ts";

const labelled = z.strictObject({ labels: z.array(z.string()), text: z.string() });
const texts = readFileSync("examples/gate/labelled.jsonl", "utf8")
  .trimEnd()
  .split("\n")
  .map((line) => labelled.parse(JSON.parse(line)));
const judged = texts.filter((_, index) => index % 2 === 1);
const scanner = createContentScanner();

/** Precision and recall over pairs of a text and a label that begins with `prefix`. */
function figuresOf(prefix: string): { readonly precision: number; readonly recall: number; readonly missed: string[] } {
  let [right, wrong] = [0, 0];
  const missed: string[] = [];
  for (const { labels, text } of judged) {
    const wanted = new Set(labels.filter((label) => label.startsWith(prefix)));
    const findings = scanner.scan(text).map(({ rule, kind }) => (kind === "injection" ? kind : rule));
    const found = new Set<string>(findings.filter((label) => label.startsWith(prefix)));
    for (const label of found) {
      if (wanted.has(label)) right++;
      else wrong++;
    }
    missed.push(...[...wanted].filter((label) => !found.has(label)).map((label) => `${label}: ${text}`));
  }
  return { precision: right / (right + wrong), recall: right / (right + missed.length), missed };
}

test("there are at least 400 texts, about half of them harmless, and none twice", () => {
  expect(texts.length).toBeGreaterThanOrEqual(400);
  expect(new Set(texts.map(({ text }) => text)).size).toBe(texts.length);
  const harmless = texts.filter(({ labels }) => labels.length === 0).length;
  expect(harmless / texts.length).toBeGreaterThan(0.45);
  const known = new Set<string>([...Object.keys(CONTENT_RULES), "injection"]);
  expect(texts.flatMap(({ labels }) => labels).filter((label) => !known.has(label))).toEqual([]);
});

test("precision and recall of personal data are at least 0.95 on the judging half", () => {
  const { precision, recall } = figuresOf("pii.");
  expect(precision).toBeGreaterThanOrEqual(0.95);
  expect(recall).toBeGreaterThanOrEqual(0.95);
});

test("the figures of secrets and of injection are printed", () => {
  for (const prefix of ["pii.", "secret.", "injection"]) {
    const { precision, recall } = figuresOf(prefix);
    process.stdout.write(`${prefix} precision ${precision.toFixed(3)}, recall ${recall.toFixed(3)}\n`);
    expect(precision).toBeGreaterThan(0.5);
  }
});
