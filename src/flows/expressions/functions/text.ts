/**
 * Text functions. Positions count code points. Searches take time proportional to the text, whatever the search string
 * is.
 */
import { RE2JS } from "@bufbuild/re2";
import { findLastText, findText, lengthOf, offsetOf, positionOf } from "../values/code-points.ts";
import { BuiltList } from "../values/lists.ts";
import { charge, chargeText, currentEvaluation } from "../values/meter.ts";
import { failExpression, type ListValue, type Value } from "../values/values.ts";
import { constant, costing, defineFunction, defineMethod, type FunctionDefinition } from "./function.ts";

const ofText = (text: string): void => chargeText(text.length);
const ofBoth = (text: string, other: string): void => chargeText(text.length + other.length);

function failIndex(name: string, index: bigint, length: number): never {
  failExpression(`${name}: there is no position ${index}; the string has ${length} characters`);
}

function charAt(text: string, index: bigint): string {
  const length = lengthOf(text);
  if (index < 0n || index > length) failIndex("charAt", index, length);
  const at = offsetOf(text, Number(index));
  return at === text.length ? "" : String.fromCodePoint(text.codePointAt(at) as number);
}

function substring(text: string, start: bigint, end: bigint | null): string {
  const length = lengthOf(text);
  const last = end ?? BigInt(length);
  if (start < 0n || start > length) failIndex("substring", start, length);
  if (last < 0n || last > length) failIndex("substring", last, length);
  if (start > last) failExpression(`substring: the start ${start} is behind the end ${last}`);
  return text.slice(offsetOf(text, Number(start)), offsetOf(text, Number(last)));
}

function indexOf(text: string, part: string, start: bigint): bigint {
  if (part === "") return start;
  if (start < 0n) failIndex("indexOf", start, lengthOf(text));
  if (start >= lengthOf(text)) return -1n;
  return BigInt(positionOf(text, findText(text, part, offsetOf(text, Number(start)))));
}

function lastIndexOf(text: string, part: string, start: bigint | null): bigint {
  const length = lengthOf(text);
  if (part === "") return start ?? BigInt(length);
  if (start !== null && start < 0n) failIndex("lastIndexOf", start, length);
  if (start !== null && start >= length) return -1n;
  const limit = start === null ? text.length : offsetOf(text, Number(start));
  return BigInt(positionOf(text, findLastText(text, part, limit)));
}

/**
 * Finds `part` in `text`, at most `limit` times and without overlaps. An empty part is found before every character and
 * at the end.
 */
function findAll(text: string, part: string, limit: number): number[] {
  const found: number[] = [];
  if (limit <= 0) return found;
  if (part === "") {
    charge(Math.min(limit, text.length + 1));
    for (let at = 0; at <= text.length && found.length < limit; at += (text.codePointAt(at) ?? 0) > 0xffff ? 2 : 1)
      found.push(at);
    return found;
  }
  for (let at = findText(text, part, 0); at >= 0 && found.length < limit; at = findText(text, part, at + part.length)) {
    charge(1);
    found.push(at);
  }
  return found;
}

function replace(text: string, part: string, by: string, count: bigint): string {
  const found = findAll(text, part, count < 0n ? Number.POSITIVE_INFINITY : Number(count));
  chargeText(text.length + found.length * by.length);
  const pieces: string[] = [];
  let end = 0;
  for (const at of found) {
    pieces.push(text.slice(end, at));
    end = at + part.length;
  }
  pieces.push(text.slice(end));
  return pieces.join(by);
}

function split(text: string, separator: string, count: bigint): ListValue {
  if (count === 0n) return new BuiltList([]);
  const limit = count < 0n ? Number.POSITIVE_INFINITY : Number(count);
  let found = findAll(text, separator, separator === "" ? limit : limit - 1);
  // Between two characters, not before the first or after the last.
  if (separator === "") found = found.filter((at) => at > 0 && at < text.length).slice(0, limit - 1);
  if (separator === "" && text === "") return new BuiltList([]);
  charge(found.length);
  const pieces: Value[] = [];
  let start = 0;
  for (const at of found) {
    pieces.push(text.slice(start, at));
    start = at + separator.length;
  }
  pieces.push(text.slice(start));
  return new BuiltList(pieces);
}

function join(list: ListValue, separator: string): string {
  charge(list.size);
  let length = Math.max(0, list.size - 1) * separator.length;
  const texts: string[] = [];
  for (const element of list) {
    if (typeof element !== "string")
      return failExpression("join needs a list of strings; convert the elements: list.map(x, string(x)).join(…)");
    length += element.length;
    texts.push(element);
  }
  chargeText(length);
  return texts.join(separator);
}

const SPACE = new Set(
  "\t\n\v\f\r \u0085\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000",
);

function trim(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && SPACE.has(text[start] as string)) start++;
  while (end > start && SPACE.has(text[end - 1] as string)) end--;
  return text.slice(start, end);
}

const QUOTED: Readonly<Record<string, string>> = {
  "\u0007": "\\a",
  "\b": "\\b",
  "\f": "\\f",
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
  "\v": "\\v",
  "\\": "\\\\",
  '"': '\\"',
};

function quote(text: string): string {
  return `"${text.toWellFormed().replace(/[\u0007\b\f\n\r\t\v\\"]/g, (character) => QUOTED[character] as string)}"`;
}

/** Maximum length of a pattern in characters, and maximum size of the program that it compiles to. */
const MAX_PATTERN = 1_000;
const MAX_PROGRAM = 1_000;

/**
 * The pattern of the last call, and the evaluation of that call. A loop compiles its pattern once, and every evaluation
 * charges the same steps.
 */
let last: { readonly pattern: string; readonly compiled: RE2JS; readonly evaluation: number } | null = null;

function matches(text: string, pattern: string): boolean {
  if (last?.pattern !== pattern || last.evaluation !== currentEvaluation())
    last = { pattern, compiled: compilePattern(pattern), evaluation: currentEvaluation() };
  const { compiled } = last;
  // At worst about 50 ns per character and instruction, and much less if states recur.
  charge(Math.ceil((text.length * compiled.re2().prog.numInst()) / 16));
  return compiled.test(text);
}

function compilePattern(pattern: string): RE2JS {
  if (pattern.length > MAX_PATTERN)
    failExpression(`the pattern has ${pattern.length} characters; the limit is ${MAX_PATTERN}`);
  const repeats = [...pattern.matchAll(/\{(\d+)(?:,(\d*))?\}/g)].map(([, least, most]) =>
    Math.max(Number(least), Number(most ?? 0)),
  );
  // RE2 rejects more than 1,000 repeats, also when nested.
  const most = repeats.reduce((product, count) => Math.min(1_000, product * Math.max(1, count)), 1);
  charge(100 + 20 * pattern.length + 2 * pattern.length * most);
  let compiled: RE2JS;
  try {
    compiled = RE2JS.compile(pattern);
  } catch (cause) {
    return failExpression(
      `the pattern ${JSON.stringify(pattern.slice(0, 80))} cannot be read: ${explainPattern(cause)}`,
    );
  }
  if (compiled.re2().prog.numInst() > MAX_PROGRAM)
    failExpression(
      `the pattern ${JSON.stringify(pattern.slice(0, 80))} repeats too much; write smaller numbers in {…}`,
    );
  return compiled;
}

function explainPattern(cause: unknown): string {
  const message = cause instanceof Error ? cause.message : String(cause);
  return message.replace(/^error parsing regexp: /, "").slice(0, 200);
}

const ofPattern = (text: string, pattern: string): void => chargeText(text.length + pattern.length);

/** Functions and methods of text. */
export const TEXT_FUNCTIONS: readonly FunctionDefinition[] = [
  defineMethod(
    "charAt",
    "The character at a position; empty at the end.",
    costing(["string", "int"], "string", ofText, charAt),
  ),
  defineMethod(
    "contains",
    "Whether a string holds another.",
    costing(["string", "string"], "bool", ofBoth, (text, part) => findText(text, part, 0) >= 0),
  ),
  defineMethod(
    "endsWith",
    "Whether a string ends with another.",
    costing(
      ["string", "string"],
      "bool",
      (_text, part) => chargeText(part.length),
      (text, part) => text.endsWith(part),
    ),
  ),
  defineMethod(
    "indexOf",
    "Position of the first occurrence, from a position on if one is given; -1 when there is none.",
    costing(["string", "string"], "int", ofBoth, (text, part) => indexOf(text, part, 0n)),
    costing(["string", "string", "int"], "int", ofBoth, indexOf),
  ),
  defineMethod(
    "join",
    "The strings of a list as one, with a separator between them if one is given.",
    constant(["list"], "string", (list) => join(list, "")),
    constant(["list", "string"], "string", join),
  ),
  defineMethod(
    "lastIndexOf",
    "Position of the last occurrence that begins at a position or before it; -1 when there is none.",
    costing(["string", "string"], "int", ofBoth, (text, part) => lastIndexOf(text, part, null)),
    costing(["string", "string", "int"], "int", ofBoth, lastIndexOf),
  ),
  defineMethod(
    "lowerAscii",
    "The string with the letters A to Z in lower case.",
    costing(
      ["string"],
      "string",
      (text) => charge(Math.ceil(text.length / 4)),
      (text) => text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase()),
    ),
  ),
  defineMethod(
    "matches",
    "Whether a pattern (RE2) fits somewhere in a string; ^ and $ bind it to the ends.",
    costing(["string", "string"], "bool", ofPattern, matches),
  ),
  defineFunction("matches", "The same as the method.", costing(["string", "string"], "bool", ofPattern, matches)),
  defineMethod(
    "replace",
    "Replaces every occurrence, or the first n when a number is given.",
    costing(["string", "string", "string"], "string", ofBoth, (text, part, by) => replace(text, part, by, -1n)),
    costing(["string", "string", "string", "int"], "string", ofBoth, replace),
  ),
  defineMethod(
    "split",
    "The parts between separators, or at most n parts when a number is given; an empty separator parts characters.",
    costing(["string", "string"], "list", ofBoth, (text, separator) => split(text, separator, -1n)),
    costing(["string", "string", "int"], "list", ofBoth, split),
  ),
  defineMethod(
    "startsWith",
    "Whether a string begins with another.",
    costing(
      ["string", "string"],
      "bool",
      (_text, part) => chargeText(part.length),
      (text, part) => text.startsWith(part),
    ),
  ),
  defineMethod(
    "substring",
    "The characters from one position up to another, or to the end.",
    costing(["string", "int"], "string", ofText, (text, start) => substring(text, start, null)),
    costing(["string", "int", "int"], "string", ofText, substring),
  ),
  defineMethod("trim", "The string without white space at both ends.", costing(["string"], "string", ofText, trim)),
  defineMethod(
    "upperAscii",
    "The string with the letters a to z in upper case.",
    costing(
      ["string"],
      "string",
      (text) => charge(Math.ceil(text.length / 4)),
      (text) => text.replace(/[a-z]+/g, (letters) => letters.toUpperCase()),
    ),
  ),
  defineFunction(
    "strings.quote",
    "The string in double quotes, as a literal of CEL.",
    costing(["string"], "string", (text) => charge(text.length), quote),
  ),
];
