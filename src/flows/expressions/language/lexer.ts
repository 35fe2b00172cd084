/** Tokens of expressions. */

import { isInt, isUint, Uint, type Value } from "../values/values.ts";
import { SyntaxProblem } from "./syntax.ts";

/** A token. `text` of names and operators is what is written; for literals it is their source. */
export interface Token {
  readonly kind: "name" | "quoted name" | "literal" | "operator" | "end";
  readonly text: string;
  readonly value: Value;
  readonly at: number;
}

const SPACE_OR_COMMENT = /(?:[\t\n\f\r ]+|\/\/[^\n]*)+/y;
const NAME = /[A-Za-z_]\w*/y;
const NUMBER = /0[xX][\da-fA-F]+[uU]?|(?:\d+\.\d+(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+|\.\d+(?:[eE][+-]?\d+)?)|\d+[uU]?/y;
const OPERATOR = /&&|\|\||==|!=|<=|>=|[-+*/%<>!?:.,()[\]{}]/y;
const QUOTE_START = /([rR][bB]?|[bB][rR]?)?("""|'''|"|')/y;
const QUOTED_NAME = /`([\w.\-/ ]+)`/y;
const SIMPLE_ESCAPES: Readonly<Record<string, string>> = {
  a: "\u0007",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
  "\\": "\\",
  "'": "'",
  '"': '"',
  "`": "`",
  "?": "?",
};

/** Returns all tokens of a source; the last one has kind `end`. Throws {@link SyntaxProblem}. */
export function readTokens(source: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  for (;;) {
    at += matchAt(SPACE_OR_COMMENT, source, at)?.[0].length ?? 0;
    if (at >= source.length) break;
    const token = readToken(source, at);
    tokens.push(token);
    at += token.text.length;
  }
  tokens.push({ kind: "end", text: "", value: null, at: source.length });
  return tokens;
}

function matchAt(pattern: RegExp, source: string, at: number): RegExpExecArray | null {
  pattern.lastIndex = at;
  return pattern.exec(source);
}

function readToken(source: string, at: number): Token {
  const quote = matchAt(QUOTE_START, source, at);
  if (quote !== null) return readQuoted(source, at, quote[1]?.toLowerCase() ?? "", quote[2] as string);
  const name = matchAt(NAME, source, at)?.[0];
  if (name !== undefined) return { kind: "name", text: name, value: null, at };
  const number = matchAt(NUMBER, source, at)?.[0];
  if (number !== undefined) return { kind: "literal", text: number, value: readNumber(number, at), at };
  const quotedName = matchAt(QUOTED_NAME, source, at);
  if (quotedName !== null) return { kind: "quoted name", text: quotedName[0], value: quotedName[1] as string, at };
  const operator = matchAt(OPERATOR, source, at)?.[0];
  if (operator !== undefined) return { kind: "operator", text: operator, value: null, at };
  throw new SyntaxProblem(at, unknownCharacter(source, at));
}

const CURES: Readonly<Record<string, string>> = {
  "=": "compare with ==",
  "&": "and is written &&",
  "|": "or is written ||",
  "^": "there is no operator of that name; powers are products, and bits are combined by math.bitXor(a, b)",
  ";": "an expression is one value; there are no statements",
  "`": "only the name of a member after a dot stands in backticks",
};

function unknownCharacter(source: string, at: number): string {
  const character = String.fromCodePoint(source.codePointAt(at) as number);
  const cure = CURES[character];
  return `${JSON.stringify(character)} means nothing here${cure === undefined ? "" : `; ${cure}`}`;
}

/** Parses a number literal. Integers are not negative and may be one too large, for a preceding minus sign. */
function readNumber(text: string, at: number): Value {
  if (/[uU]$/.test(text)) {
    const value = BigInt(text.slice(0, -1));
    if (!isUint(value)) throw new SyntaxProblem(at, `${text} does not fit into a uint, which has 64 bits`);
    return new Uint(value);
  }
  if (!/^0[xX]/.test(text) && /[.eE]/.test(text)) {
    const value = Number(text);
    if (!Number.isFinite(value)) throw new SyntaxProblem(at, `${text} does not fit into a double`);
    return value;
  }
  const value = BigInt(text);
  // -9223372036854775808 is parsed as a minus sign and a number.
  if (!isInt(-value))
    throw new SyntaxProblem(at, `${text} does not fit into an int, which has 64 bits; write ${text}.0 for a double`);
  return value;
}

function readQuoted(source: string, at: number, prefix: string, quote: string): Token {
  const isBytes = prefix.includes("b");
  const isRaw = prefix.includes("r");
  const start = at + prefix.length + quote.length;
  const parts = new Parts(isBytes);
  let end = start;
  for (;;) {
    if (source.startsWith(quote, end)) break;
    const character = source[end];
    if (character === undefined || (quote.length === 1 && (character === "\n" || character === "\r")))
      throw new SyntaxProblem(at, `the text that begins here is not closed; it ends with ${quote}`);
    if (character === "\\" && !isRaw) end = readEscape(source, end, parts);
    else {
      parts.addText(character === "\r" && source[end + 1] === "\n" ? "" : character === "\r" ? "\n" : character);
      end += 1;
    }
  }
  return { kind: "literal", text: source.slice(at, end + quote.length), value: parts.value(), at };
}

const ESCAPE = /\\(?:([abfnrtv\\'"`?])|[xX]([\da-fA-F]{2})|u([\da-fA-F]{4})|U([\da-fA-F]{8})|([0-3][0-7]{2}))/y;

/** Reads the escape sequence at `at` into `parts` and returns the offset after it. */
function readEscape(source: string, at: number, parts: Parts): number {
  const match = matchAt(ESCAPE, source, at);
  if (match === null) {
    throw new SyntaxProblem(
      at,
      `${JSON.stringify(source.slice(at, at + 2))} is no escape; a backslash is written \\\\, or the text r"…"`,
    );
  }
  const [whole, simple, byte, short, long, octal] = match;
  if (simple !== undefined) parts.addText(SIMPLE_ESCAPES[simple] as string);
  else if (byte !== undefined) parts.addCode(Number.parseInt(byte, 16), true, at);
  else if (octal !== undefined) parts.addCode(Number.parseInt(octal, 8), true, at);
  else parts.addCode(Number.parseInt((short ?? long) as string, 16), false, at);
  return at + whole.length;
}

/** The contents of a quoted literal, as far as it has been read. */
class Parts {
  private text = "";
  private readonly bytes: number[] | null;

  constructor(isBytes: boolean) {
    this.bytes = isBytes ? [] : null;
  }

  addText(text: string): void {
    this.text += text;
  }

  addCode(code: number, isByte: boolean, at: number): void {
    if (this.bytes !== null) {
      if (!isByte) throw new SyntaxProblem(at, "bytes have no escapes for characters; write \\x and two digits");
      this.flush();
      this.bytes.push(code);
      return;
    }
    if (code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
      throw new SyntaxProblem(at, "the escape names no character: half of a surrogate pair, or beyond U+10FFFF");
    this.text += String.fromCodePoint(code);
  }

  value(): Value {
    if (this.bytes === null) return this.text;
    this.flush();
    return Uint8Array.from(this.bytes);
  }

  private flush(): void {
    for (const byte of new TextEncoder().encode(this.text)) this.bytes?.push(byte);
    this.text = "";
  }
}
