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
import { fail } from "../base/errors.ts";
import type { Json } from "../base/json.ts";
import { checkJson } from "../base/json-parse.ts";
import { isFitNumber } from "../base/json-scan.ts";

/** The longest flow source, bytes of UTF-8. */
export const MAX_SOURCE_BYTES = 256 * 1_024;
/** How deep lists and objects may nest. */
export const MAX_SOURCE_DEPTH = 64;
/** How many keys a source may have, aliases expanded. */
export const MAX_SOURCE_KEYS = 10_000;
/** How many values a source may have, aliases expanded. */
const MAX_SOURCE_VALUES = 20_000;
/** How many words and signs a source may have, spaces left out. The parser takes about 3 µs for each. */
const MAX_TOKENS = 80_000;
/** How many aliases (`*name`) a source may use. */
const MAX_ALIASES = 100;

/** Place of a value: keys and indexes from the root. */
export type Path = readonly (string | number)[];

/** 1-based place in the source text. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** A source that could be read, with the places of its values. */
export interface ParsedSource {
  readonly value: Json;
  /** Where the value (or the nearest parent that exists) begins; undefined for documents that came as JSON values. */
  positionOf(path: Path): Position | undefined;
  /** How a scalar was written, for messages such as `write "1.10"`. */
  textOf(path: Path): string | undefined;
}

/**
 * Reads YAML 1.2 (core schema: no merge keys, no custom tags) or JSON text. Duplicate keys, numbers that a double cannot hold, too many or exploding
 * anchors, too deep or too large sources are refused with FLOW_SOURCE_INVALID, which carries line and column.
 */
export function parseFlowSource(text: string): ParsedSource {
  const bytes = Buffer.byteLength(text);
  if (bytes > MAX_SOURCE_BYTES) fail("PAYLOAD_TOO_LARGE", { field: "source", size: bytes, limit: MAX_SOURCE_BYTES });
  refuseCostlyText(text);
  const lines = new LineCounter();
  const document = parseText(text, lines);
  const [error] = document.errors;
  if (error !== undefined) refuse(error.message, positionAt(lines, error.pos[0]));
  if (document.contents === null) refuse("the source is empty; expected a flow with id and workflow", undefined);
  const reader = new Reader(lines);
  const value = reader.read(document.contents, 0, "");
  return {
    value,
    positionOf: (path) => reader.positionOf(path),
    textOf: (path) => reader.texts.get(keyOf(path)),
  };
}

/**
 * A document that is a JSON value already; it has no positions. The limits are those of text: FLOW_SOURCE_INVALID, PAYLOAD_TOO_LARGE, and INVALID_JSON for what
 * no JSON text could say.
 */
export function parsedDocument(value: Json): ParsedSource {
  checkJson(value, { field: "document", maxDepth: MAX_SOURCE_DEPTH });
  const size = Buffer.byteLength(JSON.stringify(value));
  if (size > MAX_SOURCE_BYTES) fail("PAYLOAD_TOO_LARGE", { field: "document", size, limit: MAX_SOURCE_BYTES });
  const census = { keys: 0, values: 0 };
  countParts(value, census);
  if (census.keys > MAX_SOURCE_KEYS) refuse(`it has more than ${MAX_SOURCE_KEYS} keys`, undefined);
  if (census.values > MAX_SOURCE_VALUES) refuse(`it has more than ${MAX_SOURCE_VALUES} values`, undefined);
  return { value, positionOf: () => undefined, textOf: () => undefined };
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
  // The library makes an error for everything that it stumbles over, up to 100,000 in a hostile source; their stacks would take seconds.
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

/** Walks the syntax tree once: builds the JSON value and remembers where everything stands. */
class Reader {
  readonly texts = new Map<string, string>();
  private readonly places = new Map<string, number>();
  /** Nodes by anchor; the walk goes in the order of the text, so it holds the latest one. */
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
    if (node.tag !== undefined && !isScalar(node) && !/^tag:yaml\.org,2002:(map|seq)$/.test(node.tag))
      this.refuse(`tags such as ${node.tag} are not accepted`, node);
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
          const name = this.readKey(pair.key as Node | null);
          if (Object.hasOwn(result, name)) this.refuse(`the key "${name}" appears twice`, pair.key as Node);
          const childKey = `${key}/${escapeKey(name)}`;
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
    return this.refuse("this is not a value", node);
  }

  private readAlias(node: Alias, depth: number, key: string): Json {
    if (++this.aliases > MAX_ALIASES) this.refuse(`it uses more than ${MAX_ALIASES} aliases`, node);
    const target = this.anchors.get(node.source);
    if (target === undefined) return this.refuse(`the anchor "${node.source}" does not exist`, node);
    return this.read(target, depth + 1, key);
  }

  private readKey(node: Node | null): string {
    if (++this.keys > MAX_SOURCE_KEYS) this.refuse(`it has more than ${MAX_SOURCE_KEYS} keys`, node);
    if (node === null || !isScalar(node)) return this.refuse("keys must be text", node);
    if (typeof node.value === "string") {
      this.checkText(node.value, node);
      return node.value;
    }
    return node.source ?? String(node.value);
  }

  private readScalar(node: Scalar, key: string): Json {
    const { value, source } = node;
    if (node.tag !== undefined && !/^tag:yaml\.org,2002:(str|int|float|bool|null)$/.test(node.tag))
      this.refuse(`tags such as ${node.tag} are not accepted`, node);
    if (source !== undefined && typeof value !== "string") this.texts.set(key, source);
    if (value === null || typeof value === "boolean") return value;
    if (typeof value === "string") {
      this.checkText(value, node);
      return value;
    }
    if (typeof value === "number") {
      if (!Number.isFinite(value)) this.refuse(`${source ?? value} is not a number that JSON can hold`, node);
      if (source !== undefined && !isFitNumber(source.replace(/^\+/, ""))) {
        this.refuse(`the integer ${source} is too large to be exact; write it in quotes`, node);
      }
      return value;
    }
    return this.refuse("this is not a JSON value", node);
  }

  private checkText(text: string, node: Node): void {
    if (text.includes("\u0000")) this.refuse("text must not hold NUL", node);
    if (!text.isWellFormed()) this.refuse("text must not hold half a surrogate pair", node);
  }

  private refuse(problem: string, node: Node | null): never {
    return refuse(problem, node?.range ? positionAt(this.lines, node.range[0]) : undefined);
  }
}

/**
 * Refuses, by tokens and in one pass, what nests beyond the limit or has too many parts, before the recursive parser sees it. Nesting by indentation costs
 * its author text, and is judged later.
 */
function refuseCostlyText(text: string): void {
  let brackets = 0;
  let indicators = 0;
  let tokens = 0;
  for (const token of new Lexer().lex(text)) {
    const code = token.charCodeAt(0);
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
    if (brackets < 0) refuse(`a "${token}" has no opening bracket`, undefined);
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

function positionAt(lines: LineCounter, offset: number): Position {
  const { line, col } = lines.linePos(offset);
  return { line, column: col };
}

function keyOf(path: Path): string {
  let key = "";
  for (const part of path) key += `/${typeof part === "number" ? part : escapeKey(part)}`;
  return key;
}

function escapeKey(part: string): string {
  return part.includes("/") || part.includes("~") ? part.replaceAll("~", "~0").replaceAll("/", "~1") : part;
}
