/**
 * Looks for slips in a text: doubled words, marks of unfinished work, sentences that nobody reads to their end, links
 * to files that are not there.
 */
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";

/** One slip. */
export interface Finding {
  /** From 1. */
  readonly line: number;
  readonly problem: string;
}

/** What there is to say about a text. */
export interface TextReport {
  readonly name: string;
  readonly words: number;
  /** Time to read it, minutes. */
  readonly minutes: number;
  readonly findings: readonly Finding[];
}

const WORDS_PER_MINUTE = 230;
const LONG_SENTENCE = 60;

/** Checks a text. Blocks and spans of code are left alone. Links are looked up from the file at `path`. */
export function checkText(name: string, text: string, path: string): TextReport {
  const prose = text.replaceAll(/^(```|~~~)[\s\S]*?^\1[^\n]*$|`[^`\n]*`/gm, (code) => code.replaceAll(/[^\n]/g, " "));
  const lineOf = (index: number): number => prose.slice(0, index).split("\n").length;
  const findings: Finding[] = [];
  for (const { 1: word, index } of prose.matchAll(/\b([A-Za-z]{2,})\s+\1\b/g))
    findings.push({ line: lineOf(index), problem: `"${word} ${word}"` });
  for (const { 0: mark, index } of prose.matchAll(/\b(TODO|FIXME|XXX|TBD)\b/g))
    findings.push({ line: lineOf(index), problem: `${mark} is left` });
  for (const { 0: sentence, index } of prose.matchAll(/[^.!?|\n]+(\n[^.!?|\n]+)*[.!?]/g)) {
    const words = countWords(sentence);
    if (words > LONG_SENTENCE) findings.push({ line: lineOf(index), problem: `a sentence of ${words} words` });
  }
  for (const { 1: target = "", index } of prose.matchAll(/\]\((?![a-z]+:|#)([^)#\s]+)/g))
    if (!existsSync(join(dirname(path), decodeURIComponent(target))))
      findings.push({ line: lineOf(index), problem: `a link to ${target}, which is not there` });
  const words = countWords(prose);
  return {
    name,
    words,
    minutes: Math.max(1, Math.round(words / WORDS_PER_MINUTE)),
    findings: findings.sort((a, b) => a.line - b.line),
  };
}

function countWords(text: string): number {
  return text.match(/[\p{L}\p{N}]+(['’-][\p{L}\p{N}]+)*/gu)?.length ?? 0;
}
