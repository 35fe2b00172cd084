/**
 * Errors of the YAML parser in our own words: one for each mistake, with what to write instead.
 *
 * After a mistake in quotes, brackets, or indentation, the parser is out of sync, and most of its further errors are
 * consequences. The list therefore ends at the first error of that kind; earlier ones are kept.
 */
import { type Document, Lexer } from "yaml";

/** A mistake at a position in the text. */
export interface YamlProblem {
  readonly offset: number;
  readonly description: string;
}

type ParserError = Pick<Document.Parsed["errors"][number], "code" | "message" | "pos">;

/** Errors after which the parser is still in sync. */
const HARMLESS = new Set([
  "BAD_SCALAR_START",
  "BAD_DQ_ESCAPE",
  "BAD_ALIAS",
  "DUPLICATE_KEY",
  "KEY_OVER_1024_CHARS",
  "MULTIPLE_TAGS",
]);
/** Maximum length of a line that is examined. */
const MAX_LINE = 2_000;
/** Maximum length of source text that a message quotes. */
const MAX_QUOTED = 60;

/**
 * Returns the mistakes in a text in order, at most one per line and `limit` in total. `lineOf` returns the line number
 * of an offset.
 */
export function explainYaml(
  errors: readonly ParserError[],
  text: string,
  lineOf: (offset: number) => number,
  limit: number,
): readonly YamlProblem[] {
  // Tabs first: after a line that is indented with a tab, the parser assumes an indentation that nobody can see.
  const tab = errors.find(({ code }) => code === "TAB_AS_INDENT");
  if (tab !== undefined) return [explainError(tab, text)];
  const byLine = new Map<number, YamlProblem>();
  for (const error of [...errors].sort((a, b) => a.pos[0] - b.pos[0])) {
    const line = lineOf(error.pos[0]);
    if (!byLine.has(line)) byLine.set(line, explainError(error, text));
    if (byLine.size === limit || !(HARMLESS.has(error.code) || holdsColon(error, text))) break;
  }
  return [...byLine.values()].sort((a, b) => a.offset - b.offset);
}

function explainError(error: ParserError, text: string): YamlProblem {
  const offset = Math.min(error.pos[0], text.length);
  const at = (description: string, place = offset): YamlProblem => ({ offset: place, description });
  switch (error.code) {
    case "BAD_SCALAR_START": {
      const plain = restOfValue(text, offset);
      return at(`text that begins with ${plain[0]} needs quotes: ${write(plain)}`);
    }
    case "BAD_DQ_ESCAPE":
      return at(
        `${text.slice(offset, offset + 2)} is not an escape; write \\\\ for a backslash, or put the text in '…'`,
      );
    case "BAD_ALIAS":
      return at(
        text[offset] === "&"
          ? "& begins an anchor and needs a name; put text that begins with & in quotes"
          : "* begins an alias and needs a name; put text that begins with * in quotes",
      );
    case "ALIAS_PROPS":
    case "BAD_PROP_ORDER":
    case "MULTIPLE_ANCHORS":
    case "MULTIPLE_TAGS":
      return at("an anchor (&name) stands once, directly before the value that it names; put other text in quotes");
    case "MULTIPLE_DOCS":
      return at("a second document begins here; a source is one document, so keep each flow in a file of its own");
    case "TAB_AS_INDENT":
      return at("a tab indents this line; YAML takes spaces only, so replace the tabs of the whole file");
    case "BAD_DIRECTIVE":
      return at(
        "lines that begin with % are directives, which are not accepted; remove the line, or put the text in quotes",
      );
    case "DUPLICATE_KEY":
      return at(`the key ${cut(restOfLine(text, offset).split(":")[0] ?? "")} appears twice; keep one`);
    case "KEY_OVER_1024_CHARS":
      return at("a key has more than 1,024 characters; shorten it");
    default:
      return explainStructure(error, offset, text);
  }
}

/** Quotes, brackets, colons, and indentation. The parser's error says where it failed; the text there says why. */
function explainStructure(error: ParserError, offset: number, text: string): YamlProblem {
  const at = (description: string, place = offset): YamlProblem => ({ offset: place, description });
  if (holdsColon(error, text)) return at(`text that holds ": " needs quotes: ${write(restOfLine(text, offset))}`);
  const tokens = scan(text, offset);
  if (/^Missing closing ["']/.test(error.message)) {
    const { open = offset } = tokens;
    return at(`the quote that opens here is not closed; add ${text[open]} where the text ends`, open);
  }
  if (text[offset] === "{" && text[offset - 1] === "$") {
    const start = startOfPlain(text, offset - 1);
    return at(`an expression inside {…} or […] needs quotes: ${write(plainWithExpression(text, start))}`, start);
  }
  if (error.message.endsWith("at node end") && tokens.quoted !== undefined) {
    const { start, end } = tokens.quoted;
    return text.slice(start, end).includes("\n")
      ? at(
          `the quote that opens here closes only at line ${lineNumber(text, end)}; a closing ${text[start]} is missing before`,
          start,
        )
      : at(
          `the text ends at this quote; inside ${text[start]}…${text[start]} write ${text[start] === "'" ? "''" : '\\"'} for the sign itself`,
          end - 1,
        );
  }
  const unclosed = tokens.brackets.at(-1);
  const isOpen = /with a [\]}]$/.test(error.message) || error.code === "BLOCK_IN_FLOW";
  if (
    isOpen &&
    unclosed !== undefined &&
    (text.slice(unclosed, offset).includes("\n") || offset >= text.trimEnd().length)
  )
    return at(`"${text[unclosed]}" is not closed; add "${text[unclosed] === "{" ? "}" : "]"}" where it ends`, unclosed);
  if (error.code === "BLOCK_IN_FLOW" || /^Missing , /.test(error.message))
    return at("a comma is missing between the entries of {…} or […]");
  if (/^Unexpected (,|empty item)/.test(error.message)) return at("this comma has no entry before it; remove it");
  if (/flow-(seq|map)-end token/.test(error.message))
    return at(`this "${text[offset]}" has no opening bracket; remove it`);
  if (/^Block scalar header/.test(error.message))
    return at("after | or > nothing may follow on the same line; begin the text on the next line, or put it in quotes");
  if (/^Comments must be separated/.test(error.message)) return at("put a space before #, or the text in quotes");
  return explainLine(offset, text);
}

/** Explains a line that fits nowhere. */
function explainLine(offset: number, text: string): YamlProblem {
  const start = lineStart(text, offset);
  const line = lineAt(text, start);
  const indent = /^\s*/.exec(line)?.[0].length ?? 0;
  const place = start + indent;
  const glued = /^\s*(?:- +)?([\w-]+):([^\s:/].*)$/.exec(line);
  if (glued !== null)
    return {
      offset: place,
      description: `a space is missing after the colon: write ${cut(`${glued[1]}: ${glued[2]}`)}`,
    };
  const isStray = /^-(\s|$)/.test(line.slice(indent));
  const columns = columnsAbove(text, start);
  const next = nextLine(text, start);
  // The parser complains about the value above a line that is indented too far.
  const deeper = next !== undefined && next.indent > indent && /:\s+\S/.test(line) ? next : undefined;
  const suspect = deeper ?? (columns.has(indent) && !isStray ? undefined : { start, indent });
  if (suspect !== undefined && (deeper !== undefined || !columns.has(indent))) {
    const expected = [...columnsAbove(text, suspect.start)].sort((a, b) => a - b).map((column) => column + 1);
    return {
      offset: suspect.start + suspect.indent,
      description: `the line begins at column ${suspect.indent + 1}, but what is above begins at ${expected.join(", ")}; keys of one object and entries of one list begin at the same column`,
    };
  }
  if (isStray)
    return {
      offset: place,
      description: 'a list entry ("- ") stands where a key is expected; indent it below the key that it belongs to',
    };
  if (!/:(\s|$)/.test(line))
    return {
      offset: place,
      description: `a colon is missing: write ${cut(`${line.trim().replace(/^- +/, "")}:`)}, or indent the line if it continues the text above`,
    };
  return {
    offset: place,
    description: "this does not match the lines above; compare its indentation, quotes, and brackets with them",
  };
}

/** Whether an error is about plain text that contains a colon. The parser continues after it. */
function holdsColon({ code, pos, message }: ParserError, text: string): boolean {
  return code === "BLOCK_AS_IMPLICIT_KEY" && message.startsWith("Nested") && /:(\s|$)/.test(restOfLine(text, pos[0]));
}

interface Scan {
  /** Offsets of the brackets that are open at this position. */
  readonly brackets: readonly number[];
  /** The quoted text that ends at or shortly before this position. */
  readonly quoted: { readonly start: number; readonly end: number } | undefined;
  /** Start of quoted text that never ends. */
  readonly open: number | undefined;
}

/** Reads the tokens before `offset`. */
function scan(text: string, offset: number): Scan {
  const brackets: number[] = [];
  let quoted: Scan["quoted"];
  let open: number | undefined;
  let place = 0;
  for (const token of new Lexer().lex(text)) {
    if (place >= offset && token.length > 0 && open === undefined && place > offset) break;
    // Control tokens of the lexer, which are not in the text.
    if (token === "\u0002" || token === "\u0018" || token === "\u001f") continue;
    const [first] = token;
    if (token === "{" || token === "[") {
      if (place < offset) brackets.push(place);
    } else if (token === "}" || token === "]") {
      if (place < offset) brackets.pop();
    } else if (first === '"' || first === "'") {
      const isClosed = token.length > 1 && token.endsWith(first);
      if (!isClosed) open = place;
      else if (place + token.length <= offset) quoted = { start: place, end: place + token.length };
    } else if (token.trim() !== "" && place < offset) quoted = undefined;
    place += token.length;
  }
  return { brackets, quoted, open };
}

/** Columns, from 0, of the keys and entries that are still open above a line. */
function columnsAbove(text: string, start: number): ReadonlySet<number> {
  const open: number[] = [];
  for (const line of text.slice(0, start).split("\n")) {
    if (line.trim() === "" || line.trimStart().startsWith("#")) continue;
    let column = line.length - line.trimStart().length;
    while (open.length > 0 && (open.at(-1) as number) > column) open.pop();
    if (open.at(-1) !== column) open.push(column);
    for (let entry = /^- +/.exec(line.slice(column)); entry !== null; entry = /^- +/.exec(line.slice(column))) {
      column += entry[0].length;
      open.push(column);
    }
  }
  return new Set(open.length === 0 ? [0] : open);
}

function nextLine(text: string, start: number): { readonly start: number; readonly indent: number } | undefined {
  for (let at = text.indexOf("\n", start) + 1; at > 0; at = text.indexOf("\n", at) + 1) {
    const line = lineAt(text, at);
    if (line.trim() !== "" && !line.trimStart().startsWith("#"))
      return { start: at, indent: line.length - line.trimStart().length };
  }
  return undefined;
}

/** Start of the plain text inside brackets that reaches `offset`. */
function startOfPlain(text: string, offset: number): number {
  let start = offset;
  while (start > 0 && !/[\n,[{]/.test(text[start - 1] as string) && !/[:-]\s/.test(text.slice(start - 2, start)))
    start--;
  return start + (/^\s*/.exec(text.slice(start, offset))?.[0] ?? "").length;
}

/** Plain text from `start`, including whole `${…}` expressions, up to the next comma or bracket. */
function plainWithExpression(text: string, start: number): string {
  const line = restOfLine(text, start);
  let depth = 0;
  for (const [index, sign] of [...line].entries()) {
    if (sign === "{" || sign === "[") depth++;
    else if ((sign === "}" || sign === "]") && depth-- === 0) return [...line].slice(0, index).join("").trim();
    else if (sign === "," && depth === 0) return [...line].slice(0, index).join("").trim();
  }
  return line;
}

function restOfValue(text: string, offset: number): string {
  const start = lineStart(text, offset);
  const before = text.slice(start, offset);
  return /[[{]/.test(before) ? plainWithExpression(text, offset) : restOfLine(text, offset);
}

/** How to write a value: in the quotes that it does not contain. Long values are left to the author. */
function write(value: string): string {
  if (value.length > MAX_QUOTED) return "put the whole value in quotes";
  if (!/["\\]/.test(value)) return `write "${value}"`;
  return `write '${value.replaceAll("'", "''")}'`;
}

function cut(value: string): string {
  return `"${value.length > MAX_QUOTED ? `${value.slice(0, MAX_QUOTED)}…` : value}"`;
}

function lineStart(text: string, offset: number): number {
  return text.lastIndexOf("\n", offset - 1) + 1;
}

function lineAt(text: string, start: number): string {
  const [line = ""] = text.slice(start, start + MAX_LINE).split("\n", 1);
  return line.replace(/\r$/, "");
}

function restOfLine(text: string, offset: number): string {
  return lineAt(text, offset)
    .replace(/(?<!\s)\s+#.*$/, "")
    .trim();
}

function lineNumber(text: string, offset: number): number {
  return text.slice(0, offset).split("\n").length;
}
