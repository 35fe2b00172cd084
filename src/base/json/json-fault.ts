/**
 * Finds where a text stops being JSON. Slower than the parser, and only called for a text that the parser has refused.
 */

/** What is allowed at a position; `end` is the end of the text, or a comma or bracket inside a list or an object. */
type Expected = "value" | "value or ]" | "key" | "key or }" | "colon" | "end";

const SPACE = /[ \t\n\r]*/y;
/** The valid beginning of a number; a complete number matches {@link NUMBER}. */
const NUMBER_PART = /-?(?:(?:0|[1-9]\d*)(?:\.\d*)?(?:(?<=\d)[eE][+-]?\d*)?)?/y;
const NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;
const WORDS = ["true", "false", "null"];

/**
 * Returns the position of the first character that cannot continue any JSON, or the length of the text when it is a
 * prefix of some JSON or complete.
 */
export function findFault(text: string): number {
  const open: ("[" | "{")[] = [];
  let expected: Expected = "value";
  for (let at = 0; ; ) {
    at += partAt(SPACE, text, at).length;
    const sign = text[at];
    if (sign === undefined) return at;
    if (expected === "colon") {
      if (sign !== ":") return at;
      expected = "value";
      at += 1;
    } else if (
      expected === "end" ||
      (expected === "value or ]" && sign === "]") ||
      (expected === "key or }" && sign === "}")
    ) {
      const inner = open.at(-1);
      if (inner === undefined) return at;
      if (sign === (inner === "[" ? "]" : "}")) {
        open.pop();
        expected = "end";
      } else if (expected === "end" && sign === ",") expected = inner === "[" ? "value" : "key";
      else return at;
      at += 1;
    } else if (expected === "key" || expected === "key or }") {
      const token = sign === '"' ? readText(text, at) : { end: at, whole: false };
      if (!token.whole) return token.end;
      at = token.end;
      expected = "colon";
    } else if (sign === "[" || sign === "{") {
      open.push(sign);
      expected = sign === "[" ? "value or ]" : "key or }";
      at += 1;
    } else {
      const token = readScalar(text, at);
      if (!token.whole) return token.end;
      at = token.end;
      expected = "end";
    }
  }
}

/** How far the text continues as a token, and whether the token is complete there. */
interface Token {
  readonly end: number;
  readonly whole: boolean;
}

function readScalar(text: string, at: number): Token {
  if (text[at] === '"') return readText(text, at);
  const word = WORDS.find((one) => one[0] === text[at]);
  if (word !== undefined) {
    let length = 1;
    while (length < word.length && text[at + length] === word[length]) length += 1;
    return { end: at + length, whole: length === word.length };
  }
  const number = partAt(NUMBER_PART, text, at);
  return { end: at + number.length, whole: NUMBER.test(number) };
}

function readText(text: string, start: number): Token {
  for (let at = start + 1; ; at += 1) {
    const sign = text[at];
    if (sign === undefined || sign < " ") return { end: at, whole: false };
    if (sign === '"') return { end: at + 1, whole: true };
    if (sign !== "\\") continue;
    at += 1;
    const escaped = text[at];
    if (escaped === undefined || !'"\\/bfnrtu'.includes(escaped)) return { end: at, whole: false };
    if (escaped !== "u") continue;
    for (let digit = 0; digit < 4; digit += 1) {
      at += 1;
      if (!/^[\da-fA-F]$/.test(text[at] ?? "")) return { end: at, whole: false };
    }
  }
}

function partAt(pattern: RegExp, text: string, at: number): string {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0] ?? "";
}
