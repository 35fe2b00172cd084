/**
 * Finds where a text stops being JSON. Slower than the parser, and only called for a text that the parser has refused.
 */

/** What is allowed at a position; `end` is the end of the text, or a comma or bracket inside a list or an object. */
type Expected = "value" | "value or ]" | "key" | "key or }" | "colon" | "end";

const WORDS = { t: "true", f: "false", n: "null" };

/**
 * Returns the position of the first character that cannot continue any JSON, or the length of the text when it is a
 * prefix of some JSON or complete.
 */
export function findFault(text: string): number {
  const open: ("[" | "{")[] = [];
  let expected: Expected = "value";
  for (let at = 0; ; ) {
    at = skipSpace(text, at);
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
      const end = sign === '"' ? readText(text, at) : ~at;
      if (end < 0) return ~end;
      at = end;
      expected = "colon";
    } else if (sign === "[" || sign === "{") {
      open.push(sign);
      expected = sign === "[" ? "value or ]" : "key or }";
      at += 1;
    } else {
      const end = readScalar(text, at);
      if (end < 0) return ~end;
      at = end;
      expected = "end";
    }
  }
}

function skipSpace(text: string, start: number): number {
  let at = start;
  for (let sign = text[at]; sign === " " || sign === "\n" || sign === "\r" || sign === "\t"; sign = text[at]) at += 1;
  return at;
}

/** Returns the end of the token that begins at `at`, or `~end` if the token is incomplete there. */
function readScalar(text: string, at: number): number {
  const sign = text[at];
  if (sign === '"') return readText(text, at);
  if (sign === "t" || sign === "f" || sign === "n") return readWord(text, at, WORDS[sign]);
  return readNumber(text, at);
}

function readWord(text: string, at: number, word: string): number {
  let length = 1;
  while (length < word.length && text[at + length] === word[length]) length += 1;
  return length === word.length ? at + length : ~(at + length);
}

function readNumber(text: string, start: number): number {
  let at = text[start] === "-" ? start + 1 : start;
  if (text[at] === "0") at += 1;
  else {
    const end = skipDigits(text, at);
    if (end === at) return ~at;
    at = end;
  }
  if (text[at] === ".") {
    const end = skipDigits(text, at + 1);
    if (end === at + 1) return ~end;
    at = end;
  }
  if (text[at] !== "e" && text[at] !== "E") return at;
  at += 1;
  if (text[at] === "+" || text[at] === "-") at += 1;
  const end = skipDigits(text, at);
  return end === at ? ~end : end;
}

function skipDigits(text: string, start: number): number {
  let at = start;
  for (let code = text.charCodeAt(at); code >= 48 && code <= 57; code = text.charCodeAt(at)) at += 1;
  return at;
}

function readText(text: string, start: number): number {
  for (let at = start + 1; ; at += 1) {
    const sign = text[at];
    if (sign === undefined || sign < " ") return ~at;
    if (sign === '"') return at + 1;
    if (sign !== "\\") continue;
    at += 1;
    const escaped = text[at];
    if (escaped === undefined || !'"\\/bfnrtu'.includes(escaped)) return ~at;
    if (escaped !== "u") continue;
    for (let digit = 0; digit < 4; digit += 1) {
      at += 1;
      if (!/^[\da-fA-F]$/.test(text[at] ?? "")) return ~at;
    }
  }
}
