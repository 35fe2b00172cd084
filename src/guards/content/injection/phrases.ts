/** Phrases: words of some classes, one after the other, with few words between them. */
import type { Codes } from "../codes.ts";
import type { FoundList } from "../found.ts";
import type { RuleId } from "../rules.ts";
import { BITS, type WordClass } from "./words.ts";

/** A word of the table as it stands in a text. */
export interface Mark {
  readonly mask: number;
  /** Number of the word in the text. */
  readonly number: number;
  readonly start: number;
  readonly end: number;
}

/** A word of a phrase, and how many other words may stand before it. */
interface Step {
  readonly mask: number;
  readonly gap: number;
}

interface Phrase {
  readonly rule: RuleId;
  readonly steps: readonly Step[];
}

/** `ignore 3 earlier`: a word of `ignore`, at most three others, a word of `earlier`. */
function phrase(rule: RuleId, source: string): Phrase {
  const steps: Step[] = [];
  let gap = 0;
  for (const part of source.split(" ")) {
    if (/^\d+$/.test(part)) gap = Number(part);
    else steps.push({ mask: BITS[part as WordClass], gap });
  }
  return { rule, steps };
}

const PHRASES: readonly Phrase[] = [
  phrase("injection.override", "ignore 4 earlier 3 order"),
  phrase("injection.override", "ignore 4 order 2 earlier"),
  phrase("injection.override", "ignore 1 your 2 order"),
  phrase("injection.override", "ignore 1 every 1 order"),
  phrase("injection.override", "ignore 1 above 0 and"),
  phrase("injection.override", "ignore 0 everything 4 told"),
  phrase("injection.exfiltration", "reveal 4 your 2 prompt"),
  phrase("injection.exfiltration", "reveal 3 hidden 1 prompt"),
  phrase("injection.exfiltration", "send 6 credential 5 place"),
  phrase("injection.persona", "act 5 persona"),
  phrase("injection.persona", "are 4 persona"),
  phrase("injection.persona", "are 3 developer 0 mode"),
  phrase("injection.persona", "act 6 without 3 limit"),
];

/** Longest phrase in a text, bytes: what stands further apart says nothing together. */
const MAX_BYTES = 400;

/** Words beyond which no phrase goes. */
const MAX_WORDS = 16;

/** Classes that phrases begin with, and of each phrase its first class, and all of its classes. */
const ANY_FIRST = PHRASES.reduce((mask, { steps }) => mask | (steps[0] as Step).mask, 0);
const FIRSTS = Int32Array.from(PHRASES, ({ steps }) => (steps[0] as Step).mask);
const SECONDS = Int32Array.from(PHRASES, ({ steps }) => (steps[1] as Step).mask);
const LASTS = Int32Array.from(PHRASES, ({ steps }) => (steps.at(-1) as Step).mask);

/** Adds the phrases that begin with some marks of a text. Looks at a bounded number of marks from each on. */
export function findPhrases(codes: Codes, marks: readonly Mark[], from: number, to: number, found: FoundList): void {
  const end = Math.min(to, marks.length);
  for (let index = from; index < end; index++) {
    const { mask } = marks[index] as Mark;
    if ((mask & ANY_FIRST) === 0) continue;
    const ahead = classesAhead(marks, index);
    for (let number = 0; number < FIRSTS.length; number++) {
      if ((mask & (FIRSTS[number] as number)) === 0 || (ahead & (SECONDS[number] as number)) === 0) continue;
      if ((ahead & (LASTS[number] as number)) === 0) continue;
      const last = findPhrase(codes, marks, index, PHRASES[number] as Phrase, found);
      if (last === index) continue;
      index = last;
      break;
    }
  }
}

/** Classes of the words behind a mark. */
function classesAhead(marks: readonly Mark[], index: number): number {
  const most = (marks[index] as Mark).number + MAX_WORDS;
  let classes = 0;
  for (let next = index + 1; next < marks.length; next++) {
    const { mask, number } = marks[next] as Mark;
    if (number > most) break;
    classes |= mask;
  }
  return classes;
}

/** Adds a phrase that begins with a mark. Returns the index of its last mark, else that of the first one. */
function findPhrase(
  codes: Codes,
  marks: readonly Mark[],
  index: number,
  { rule, steps }: Phrase,
  found: FoundList,
): number {
  const last = matchFrom(marks, index, steps);
  if (last < 0 || isForbidden(marks, index)) return index;
  const { start, end } = marks[index] as Mark;
  const tail = marks[last] as Mark;
  if (!isOneSentence(codes, end, tail.start)) return index;
  found.push({ rule, start, end: tail.end });
  return last;
}

/** Index of the mark with which the steps end; -1: they do not match. Every step takes the first word that fits. */
function matchFrom(marks: readonly Mark[], first: number, steps: readonly Step[]): number {
  let last = first;
  for (let step = 1; step < steps.length; step++) {
    const { mask, gap } = steps[step] as Step;
    const most = (marks[last] as Mark).number + gap + 1;
    let next = last + 1;
    for (; next < marks.length; next++) {
      const mark = marks[next] as Mark;
      if (mark.number > most) return -1;
      if ((mark.mask & mask) !== 0) break;
    }
    if (next === marks.length) return -1;
    last = next;
  }
  return last;
}

/** `never ignore …`, `do not reveal …`. */
function isForbidden(marks: readonly Mark[], index: number): boolean {
  const { number } = marks[index] as Mark;
  for (let before = index - 1; before >= 0; before--) {
    const mark = marks[before] as Mark;
    if (number - mark.number > 2) return false;
    if ((mark.mask & BITS.not) !== 0) return true;
  }
  return false;
}

/** No end of a sentence and no empty line between two words. */
function isOneSentence({ bytes }: Codes, start: number, end: number): boolean {
  if (end - start > MAX_BYTES) return false;
  for (let index = start; index < end; index++) {
    const code = bytes[index] as number;
    if (code === 10 && bytes[index + 1] === 10) return false;
    if ((code === 46 || code === 33 || code === 63) && (bytes[index + 1] as number) <= 32) return false;
  }
  return true;
}
