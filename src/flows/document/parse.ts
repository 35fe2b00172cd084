import {
  type Alias,
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  Lexer,
  LineCounter,
  type Node,
  parseDocument,
  type Scalar,
} from "yaml";
import { type FieldViolation, fail } from "../../base/errors.ts";
import type { Json } from "../../base/json/json.ts";
import { checkJson } from "../../base/json/json-parse.ts";
import { isFitNumber } from "../../base/json/json-scan.ts";
import { formatPath } from "../../tasks/schema/format-path.ts";
import { explainYaml } from "./yaml-problems.ts";

/** Maximum number of problems in one response. */
export const MAX_PROBLEMS = 100;
/** Maximum length of a flow source, bytes of UTF-8. */
export const MAX_SOURCE_BYTES = 256 * 1_024;
/** Maximum nesting depth of lists and objects. */
const MAX_SOURCE_DEPTH = 64;
/** Maximum number of keys in a source, aliases expanded. */
const MAX_SOURCE_KEYS = 10_000;
/** Maximum number of values in a source, aliases expanded. */
const MAX_SOURCE_VALUES = 20_000;
/** Maximum number of tokens in a source, not counting spaces. The parser takes about 3 µs for each. */
const MAX_TOKENS = 80_000;
/** Maximum number of aliases (`*name`) in a source. */
const MAX_ALIASES = 100;
/** Maximum number of a source's problems that are collected. */
const MAX_SOURCE_PROBLEMS = 1_000;

/** Path of a value: keys and indexes from the root. */
export type Path = readonly (string | number)[];

/** 1-based position in the source text. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** Something that a flow source must not contain, at a place that could still be parsed. */
export interface SourceProblem {
  readonly path: Path;
  readonly description: string;
  readonly position: Position | undefined;
}

/** A parsed source, with the positions of its values. */
export interface ParsedSource {
  readonly value: Json;
  /**
   * Contents that are not allowed: duplicate keys, tags, numbers and strings that JSON cannot represent. The first
   * {@link MAX_SOURCE_PROBLEMS}.
   */
  readonly problems: readonly SourceProblem[];
  /** Start of the value (or its nearest existing parent); undefined for documents that were passed as JSON values. */
  positionOf(path: Path): Position | undefined;
  /** The text of a scalar as written, for messages such as `write "1.10"`. */
  textOf(path: Path): string | undefined;
}

/**
 * Parses YAML 1.2 (core schema: no merge keys, no custom tags) or JSON text. Throws FLOW_SOURCE_INVALID for duplicate
 * keys, numbers that a double cannot hold, too many or exploding anchors, and sources that are too deep or too large.
 * The error has all findings, each with line and column.
 */
export function parseFlowSource(text: string): ParsedSource {
  const source = readFlowSource(text);
  if (source.problems.length > 0) refuseAll(source.problems);
  return source;
}

/**
 * Like {@link parseFlowSource}, for callers that look for more problems: what is not allowed but leaves the rest
 * readable is in `problems`. Throws FLOW_SOURCE_INVALID for syntax errors (all of them) and for exceeded limits.
 */
export function readFlowSource(text: string): ParsedSource {
  const bytes = Buffer.byteLength(text);
  if (bytes > MAX_SOURCE_BYTES) fail("PAYLOAD_TOO_LARGE", { field: "source", size: bytes, limit: MAX_SOURCE_BYTES });
  refuseCostlyText(text);
  const lines = new LineCounter();
  const document = parseText(text, lines);
  if (document.errors.length > 0) refuseAll(syntaxProblems(document, text, lines));
  if (document.contents === null) refuse("the source is empty; expected a flow with id and workflow", undefined);
  if (document.directives.yaml.explicit === true && document.directives.yaml.version !== "1.2")
    refuse("it declares another version of YAML; remove the line that begins with %YAML", { line: 1, column: 1 });
  const reader = new Reader(lines);
  const value = reader.read(document.contents, 0, "");
  return {
    value,
    problems: reader.problems,
    positionOf: (path) => reader.positionOf(path),
    textOf: (path) => reader.texts.get(keyOf(path)),
  };
}

/**
 * Wraps a document that is already a JSON value; it has no positions. The limits are those of text:
 * FLOW_SOURCE_INVALID, PAYLOAD_TOO_LARGE, and INVALID_JSON for values that JSON text cannot represent.
 */
export function parsedDocument(document: Json): ParsedSource {
  const value = checkJson(document, { field: "document", maxDepth: MAX_SOURCE_DEPTH });
  const size = Buffer.byteLength(JSON.stringify(value));
  if (size > MAX_SOURCE_BYTES) fail("PAYLOAD_TOO_LARGE", { field: "document", size, limit: MAX_SOURCE_BYTES });
  const census = { keys: 0, values: 0 };
  countParts(value, census);
  if (census.keys > MAX_SOURCE_KEYS) refuse(`it has more than ${MAX_SOURCE_KEYS} keys`, undefined);
  if (census.values > MAX_SOURCE_VALUES) refuse(`it has more than ${MAX_SOURCE_VALUES} values`, undefined);
  return { value, problems: [], positionOf: () => undefined, textOf: () => undefined };
}

/** The parser's errors in our words. */
function syntaxProblems(document: Document.Parsed, text: string, lines: LineCounter): readonly SourceProblem[] {
  const lineOf = (offset: number): number => lines.linePos(offset).line;
  return explainYaml(document.errors, text, lineOf, MAX_SOURCE_PROBLEMS).map(({ offset, description }) => ({
    path: [],
    description,
    position: positionAt(lines, offset),
  }));
}

function countParts(value: Json, census: { keys: number; values: number }): void {
  census.values++;
  if (typeof value !== "object" || value === null) return;
  const parts = Object.values(value) as readonly Json[];
  if (!Array.isArray(value)) census.keys += parts.length;
  for (const part of parts) countParts(part, census);
}

function parseText(text: string, lines: LineCounter): Document.Parsed {
  const { stackTraceLimit } = Error;
  // The library creates an error for everything that it finds, up to 100,000 in a hostile source. Their stack traces
  // would take seconds.
  Error.stackTraceLimit = 0;
  try {
    return parseDocument(text, {
      version: "1.2",
      schema: "core",
      merge: false,
      resolveKnownTags: false,
      strict: true,
      uniqueKeys: false, // the library's own check is quadratic; Reader.read does it with a set
      prettyErrors: false,
      lineCounter: lines,
      logLevel: "error",
    });
  } catch (cause) {
    if (cause instanceof RangeError) return refuse("it nests too deep", undefined);
    throw cause;
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}

/** Walks the syntax tree once: builds the JSON value and records the position of everything. */
class Reader {
  readonly texts = new Map<string, string>();
  readonly problems: SourceProblem[] = [];
  private readonly places = new Map<string, number>();
  /** Nodes by anchor. The walk is in document order, so this has the latest one. */
  private readonly anchors = new Map<string, Node>();
  private readonly lines: LineCounter;
  private readonly open = new Set<Node>();
  private keys = 0;
  private values = 0;
  private aliases = 0;

  constructor(lines: LineCounter) {
    this.lines = lines;
  }

  positionOf(path: Path): Position | undefined {
    for (let length = path.length; length >= 0; length--) {
      const offset = this.places.get(keyOf(path.slice(0, length)));
      if (offset !== undefined) return positionAt(this.lines, offset);
    }
    return undefined;
  }

  read(node: Node | null, depth: number, key: string): Json {
    if (depth > MAX_SOURCE_DEPTH) this.refuse(`it nests deeper than ${MAX_SOURCE_DEPTH} levels`, node);
    if (++this.values > MAX_SOURCE_VALUES) this.refuse(`it has more than ${MAX_SOURCE_VALUES} values`, node);
    if (node === null) return null;
    if (node.range && !this.places.has(key)) this.places.set(key, node.range[0]);
    if (node.tag !== undefined)
      this.note("tags (! or !!) are not accepted; remove it, or put text that begins with ! in quotes", node, key);
    if (!isAlias(node) && node.anchor !== undefined) this.anchors.set(node.anchor, node);
    if (isAlias(node)) return this.readAlias(node, depth, key);
    if (isScalar(node)) return this.readScalar(node, key);
    if (this.open.has(node)) this.refuse("an anchor contains itself", node);
    this.open.add(node);
    try {
      if (isSeq(node))
        return node.items.map((item, index) => this.read(item as Node | null, depth + 1, `${key}/${index}`));
      if (isMap(node)) {
        const result: Record<string, Json> = {};
        for (const pair of node.items) {
          const name = this.readKey(pair.key as Node | null, key);
          const childKey = `${key}/${escapeKey(name ?? "")}`;
          if (name === undefined || Object.hasOwn(result, name)) {
            if (name !== undefined) this.note(`the key "${name}" appears twice; keep one`, pair.key as Node, childKey);
            // Read only for its own problems; all further checks use the first value.
            this.read(pair.value as Node | null, depth + 1, childKey);
            continue;
          }
          const start = (pair.key as Node | null)?.range?.[0];
          if (start !== undefined) this.places.set(childKey, start);
          const value = this.read(pair.value as Node | null, depth + 1, childKey);
          // A plain assignment to __proto__ would replace the prototype.
          Object.defineProperty(result, name, { value, enumerable: true, writable: true, configurable: true });
        }
        return result;
      }
    } finally {
      this.open.delete(node);
    }
    this.note("this is not a value", node, key);
    return null;
  }

  private readAlias(node: Alias, depth: number, key: string): Json {
    if (++this.aliases > MAX_ALIASES) this.refuse(`it uses more than ${MAX_ALIASES} aliases`, node);
    const target = this.anchors.get(node.source);
    if (target === undefined) {
      this.note(
        `the anchor "${node.source}" does not exist; text that begins with * needs quotes: write "*${node.source}"`,
        node,
        key,
      );
      return null;
    }
    return this.read(target, depth + 1, key);
  }

  private readKey(node: Node | null, parent: string): string | undefined {
    if (++this.keys > MAX_SOURCE_KEYS) this.refuse(`it has more than ${MAX_SOURCE_KEYS} keys`, node);
    if (node === null || !isScalar(node)) {
      this.note("keys must be text", node, parent);
      return undefined;
    }
    if (typeof node.value === "string") {
      if (node.tag !== undefined) this.note("keys take no tags (! or !!)", node, parent);
      const isPlain = node.type === "PLAIN";
      if (isPlain && node.value === "<<")
        this.note(
          "merge keys (<<) are not accepted; write the keys here, or put << in quotes to mean the text",
          node,
          parent,
        );
      if (isPlain && node.value.trim() !== node.value)
        this.note("the key begins or ends with a special space, such as a no-break space; remove it", node, parent);
      this.checkText(node.value, node, `${parent}/${escapeKey(node.value)}`);
      return node.value;
    }
    return node.source ?? String(node.value);
  }

  private readScalar(node: Scalar, key: string): Json {
    const { value, source } = node;
    if (source !== undefined && typeof value !== "string") this.texts.set(key, source);
    if (value === null || typeof value === "boolean") return value;
    if (typeof value === "string") {
      this.checkText(value, node, key);
      return value;
    }
    if (typeof value === "number") {
      if (!Number.isFinite(value)) this.note(`${source ?? value} is not a number that JSON can hold`, node, key);
      else if (source !== undefined && !isFitNumber(source.replace(/^\+/, "")))
        this.note(`the integer ${source} is too large to be exact; write it in quotes`, node, key);
      // -0 becomes 0, as in all JSON input.
      return Number.isFinite(value) && value !== 0 ? value : 0;
    }
    this.note("this is not a JSON value", node, key);
    return null;
  }

  private checkText(text: string, node: Node, key: string): void {
    if (text.includes("\u0000")) this.note("text must not hold NUL", node, key);
    if (!text.isWellFormed()) this.note("text must not contain half of a surrogate pair", node, key);
  }

  /** Records a problem and continues. */
  private note(description: string, node: Node | null, key: string): void {
    if (this.problems.length >= MAX_SOURCE_PROBLEMS) return;
    const position = node?.range ? positionAt(this.lines, node.range[0]) : undefined;
    this.problems.push({ path: pathOf(key), description, position });
  }

  private refuse(problem: string, node: Node | null): never {
    return refuse(problem, node?.range ? positionAt(this.lines, node.range[0]) : undefined);
  }
}

/**
 * Rejects, by tokens and in one pass, sources that nest too deep or have too many parts, before the recursive parser
 * sees them. Nesting by indentation costs its author text and is checked later.
 */
function refuseCostlyText(text: string): void {
  let brackets = 0;
  let indicators = 0;
  let tokens = 0;
  let place = 0;
  for (const token of new Lexer().lex(text)) {
    const code = token.charCodeAt(0);
    // Control tokens of the lexer are not in the text.
    if (code !== 0x02 && code !== 0x18 && code !== 0x1f) place += token.length;
    if (code <= 0x20) {
      if (code === 0x0a || code === 0x0d) indicators = 0;
      continue;
    }
    if (++tokens > MAX_TOKENS) refuse(`it has more than ${MAX_TOKENS} words and signs`, undefined);
    if (token === "[" || token === "{") brackets++;
    else if (token === "]" || token === "}") brackets--;
    else if (brackets === 0 && (token === "-" || token === "?" || token === ":")) indicators++;
    if (brackets > MAX_SOURCE_DEPTH || indicators > 2 * MAX_SOURCE_DEPTH)
      refuse(`it nests deeper than ${MAX_SOURCE_DEPTH} levels`, undefined);
    if (brackets < 0) {
      const before = text.slice(0, place - 1).split("\n");
      const position = { line: before.length, column: (before.at(-1)?.length ?? 0) + 1 };
      refuse(`this "${token}" has no opening bracket; remove it`, position);
    }
  }
}

function refuse(problem: string, position: Position | undefined): never {
  const place = position === undefined ? "" : ` (line ${position.line}, column ${position.column})`;
  return fail(
    "FLOW_SOURCE_INVALID",
    { problem: `${problem}${place}` },
    { violations: [{ field: "", description: problem, ...position }] },
  );
}

function refuseAll(problems: readonly SourceProblem[]): never {
  const [{ description, position } = { description: "", position: undefined }] = problems;
  const place = position === undefined ? "" : ` (line ${position.line}, column ${position.column})`;
  const more = problems.length > 1 ? ` (and ${problems.length - 1} more)` : "";
  return fail(
    "FLOW_SOURCE_INVALID",
    { problem: `${description}${place}${more}` },
    { violations: toViolations(problems) },
  );
}

/** The problems in the form that an error carries: the first {@link MAX_PROBLEMS}, then the number of the rest. */
function toViolations(problems: readonly SourceProblem[]): readonly FieldViolation[] {
  const listed = problems.slice(0, MAX_PROBLEMS).map(({ path, description, position }) => ({
    field: formatPath(path),
    description,
    ...position,
  }));
  const more = problems.length - listed.length;
  return more === 0 ? listed : [...listed, { field: "", description: `and ${more} more` }];
}

function positionAt(lines: LineCounter, offset: number): Position {
  const { line, col } = lines.linePos(offset);
  return { line, column: col };
}

function keyOf(path: Path): string {
  let key = "";
  for (const part of path) key += `/${typeof part === "number" ? part : escapeKey(part)}`;
  return key;
}

function pathOf(key: string): Path {
  const parts = key.split("/").slice(1);
  return parts.map((part) => (/^\d+$/.test(part) ? Number(part) : part.replaceAll("~1", "/").replaceAll("~0", "~")));
}

function escapeKey(part: string): string {
  return part.includes("/") || part.includes("~") ? part.replaceAll("~", "~0").replaceAll("/", "~1") : part;
}
