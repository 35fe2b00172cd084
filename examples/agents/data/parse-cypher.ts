/** Reads the part of Cypher that the agent runs; the grammar is in cypher.ts. */
import type { Json, JsonObject } from "../shared/json.ts";
import { AgentError } from "../shared/messages.ts";

/** What a node or relationship must be like. */
export interface ElementPattern {
  readonly variable: string | null;
  /** All of these labels, or one of these types. */
  readonly names: readonly string[];
  readonly properties: Readonly<Record<string, Json>>;
}

export interface Operand {
  readonly variable: string;
  readonly property: string | null;
}

export interface Item extends Operand {
  /** Of the column. */
  readonly name: string;
}

export interface Condition {
  readonly operand: Operand;
  readonly operator: string;
  readonly value: Json;
}

export interface Statement {
  readonly start: ElementPattern;
  readonly hop: {
    readonly direction: "out" | "in" | "both";
    readonly relationship: ElementPattern;
    readonly end: ElementPattern;
  } | null;
  readonly where: readonly Condition[];
  readonly items: readonly Item[];
  readonly limit: number | null;
}

const TOKEN =
  /\s+|\/\/[^\n]*|(?<word>[A-Za-z_]\w*|`[^`]+`)|(?<number>\d+\.\d+|\d+)|(?<text>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")|(?<sign><>|<=|>=|[(){}[\]:,.|=<>$*+/%;-])/gy;

/** Words that begin a clause, in the order in which they are looked for. */
const CLAUSES = [
  ..."OPTIONAL MATCH,DETACH DELETE,ORDER BY,UNION ALL,LOAD CSV,ON CREATE,ON MATCH".split(","),
  ..."MATCH,CREATE,MERGE,DELETE,SET,REMOVE,WITH,UNWIND,UNION,CALL,FOREACH,SKIP,USE,RETURN,WHERE,LIMIT".split(","),
];
/** Words inside of clauses that have no meaning here. */
const WORDS = new Set("OR XOR NOT IN IS DISTINCT EXISTS CASE".split(" "));

interface Token {
  readonly kind: "word" | "number" | "text" | "sign" | "end";
  readonly text: string;
}

export function parseCypher(source: string, parameters: JsonObject): Statement {
  return new Parser(tokenize(source), parameters).statement();
}

function tokenize(source: string): readonly Token[] {
  const tokens: Token[] = [];
  let at = 0;
  for (const match of source.matchAll(TOKEN)) {
    at = match.index + match[0].length;
    for (const kind of ["word", "number", "text", "sign"] as const) {
      const text = match.groups?.[kind];
      if (text !== undefined) tokens.push({ kind, text });
    }
  }
  if (at < source.length) throw syntax(`"${source.slice(at, at + 20)}" is not understood`);
  return [...tokens, { kind: "end", text: "the end" }];
}

class Parser {
  readonly #tokens: readonly Token[];
  readonly #parameters: JsonObject;
  #at = 0;

  constructor(tokens: readonly Token[], parameters: JsonObject) {
    this.#tokens = tokens;
    this.#parameters = parameters;
  }

  statement(): Statement {
    this.#keyword("MATCH");
    if (this.#next.kind === "word") throw unsupported("named paths");
    const start = this.#element("(", ")");
    const hop = this.#isSign("-", "<") ? this.#hop() : null;
    if (this.#isSign("-", "<")) throw unsupported("more than one hop");
    if (this.#isSign(",")) throw unsupported("more than one pattern");
    const where = this.#takeKeyword("WHERE") ? this.#conditions() : [];
    this.#keyword("RETURN");
    const items = [this.#item()];
    while (this.#takeSign(",")) items.push(this.#item());
    const twice = items.find(({ name }, index) => items.findIndex((each) => each.name === name) < index);
    if (twice !== undefined) throw syntax(`two columns have the name ${twice.name}; name one with AS`);
    const limit = this.#takeKeyword("LIMIT") ? this.#limit() : null;
    this.#takeSign(";");
    if (this.#next.kind !== "end") this.#refuse("the end of the statement");
    const variables = [start, hop?.relationship, hop?.end].map((element) => element?.variable);
    for (const { variable } of [...items, ...where.map(({ operand }) => operand)])
      if (!variables.includes(variable)) throw syntax(`the variable ${variable} is not in the pattern`);
    return { start, hop, where, items, limit };
  }

  #hop(): Statement["hop"] {
    const isIn = this.#takeSign("<");
    this.#sign("-");
    const relationship = this.#isSign("[") ? this.#element("[", "]") : { variable: null, names: [], properties: {} };
    this.#sign("-");
    const isOut = this.#takeSign(">");
    if (isIn && isOut) throw unsupported("a hop with an arrow at both ends (leave both away)");
    const end = this.#element("(", ")");
    return { direction: !isIn && !isOut ? "both" : isOut ? "out" : "in", relationship, end };
  }

  #element(open: string, close: string): ElementPattern {
    this.#sign(open);
    const variable = this.#next.kind === "word" ? this.#name() : null;
    const names: string[] = [];
    const isNode = open === "(";
    while (this.#takeSign(":") || (!isNode && this.#takeSign("|"))) names.push(this.#name());
    if (this.#isSign("*")) throw unsupported("paths of variable length (*)");
    if (isNode && this.#isSign("|")) throw unsupported("alternatives of labels (|)");
    const properties = new Map<string, Json>();
    if (this.#takeSign("{")) {
      if (!this.#isSign("}"))
        do {
          const key = this.#name();
          this.#sign(":");
          properties.set(key, this.#value());
        } while (this.#takeSign(","));
      this.#sign("}");
    }
    this.#sign(close);
    return { variable, names, properties: Object.fromEntries(properties) };
  }

  #conditions(): readonly Condition[] {
    const conditions = [this.#condition()];
    while (this.#takeKeyword("AND")) conditions.push(this.#condition());
    return conditions;
  }

  #condition(): Condition {
    if (this.#isSign("(")) throw unsupported("parentheses in WHERE");
    const operand = this.#operand();
    if (operand.property === null) this.#refuse("a property, as in n.name");
    for (const operator of ["=", "<>", "<=", ">=", "<", ">"])
      if (this.#takeSign(operator)) return { operand, operator, value: this.#value() };
    for (const operator of ["CONTAINS", "STARTS WITH", "ENDS WITH"])
      if (this.#takeKeyword(operator)) return { operand, operator, value: this.#value() };
    return this.#refuse("a comparison");
  }

  #item(): Item {
    if (this.#isSign("*")) throw unsupported("RETURN *");
    const operand = this.#operand();
    if (this.#isSign("(")) throw unsupported(`the function ${operand.variable}()`);
    const own = operand.property === null ? operand.variable : `${operand.variable}.${operand.property}`;
    return { ...operand, name: this.#takeKeyword("AS") ? this.#name() : own };
  }

  #operand(): Operand {
    const variable = this.#name();
    return { variable, property: this.#takeSign(".") ? this.#name() : null };
  }

  #value(): Json {
    const { kind, text } = this.#next;
    if (kind === "text") {
      this.#at++;
      return text.slice(1, -1).replaceAll(/\\(.)/g, "$1");
    }
    const isNegative = this.#takeSign("-");
    const number = this.#next;
    if (number.kind === "number") {
      this.#at++;
      return isNegative ? -Number(number.text) : Number(number.text);
    }
    if (this.#takeSign("$")) return this.#parameter();
    for (const [word, value] of [
      ["TRUE", true],
      ["FALSE", false],
      ["NULL", null],
    ] as const)
      if (this.#takeKeyword(word)) return value;
    return this.#refuse("a value");
  }

  #parameter(): Json {
    const name = this.#name();
    const value = Object.hasOwn(this.#parameters, name) ? this.#parameters[name] : undefined;
    if (value === undefined) throw syntax(`query.parameters has no "${name}"`);
    return value;
  }

  #limit(): number {
    const value = this.#value();
    if (typeof value !== "number" || !Number.isInteger(value) || value < 0)
      throw syntax(`LIMIT is ${JSON.stringify(value)}; write a whole number`);
    return value;
  }

  get #next(): Token {
    return this.#tokens[this.#at] ?? { kind: "end", text: "the end" };
  }

  #name(): string {
    const { kind, text } = this.#next;
    if (kind !== "word") this.#refuse("a name");
    if (!text.startsWith("`") && (CLAUSES.includes(text.toUpperCase()) || WORDS.has(text.toUpperCase())))
      if (this.#tokens[this.#at + 1]?.text !== ")" && this.#tokens[this.#at + 1]?.text !== ":")
        // A function has a name like any other.
        this.#refuse("a name");
    this.#at++;
    return text.replaceAll("`", "");
  }

  #isSign(...signs: readonly string[]): boolean {
    return this.#next.kind === "sign" && signs.includes(this.#next.text);
  }

  #takeSign(sign: string): boolean {
    const isThere = this.#isSign(sign);
    if (isThere) this.#at++;
    return isThere;
  }

  #sign(sign: string): void {
    if (!this.#takeSign(sign)) this.#refuse(`"${sign}"`);
  }

  #isKeyword(words: string): boolean {
    return words.split(" ").every((word, index) => {
      const token = this.#tokens[this.#at + index];
      return token?.kind === "word" && token.text.toUpperCase() === word;
    });
  }

  #takeKeyword(words: string): boolean {
    const isThere = this.#isKeyword(words);
    if (isThere) this.#at += words.split(" ").length;
    return isThere;
  }

  #keyword(words: string): void {
    if (!this.#takeKeyword(words)) this.#refuse(words);
  }

  /** Throws: a part of Cypher that is not supported by its name, everything else as a mistake. */
  #refuse(wanted: string): never {
    const clause = CLAUSES.find((words) => this.#isKeyword(words));
    const { kind, text } = this.#next;
    if (clause !== undefined && clause !== wanted && !["RETURN", "WHERE", "LIMIT", "MATCH"].includes(clause))
      throw unsupported(clause);
    if (clause === "MATCH" && this.#at > 0) throw unsupported("more than one MATCH");
    if (kind === "word" && WORDS.has(text.toUpperCase())) throw unsupported(text.toUpperCase());
    throw syntax(`expected ${wanted}, got ${kind === "end" ? text : `"${text}"`}`);
  }
}

function unsupported(what: string): AgentError {
  return new AgentError(
    "CYPHER_NOT_SUPPORTED",
    `CYPHER_NOT_SUPPORTED: ${what}. This agent runs MATCH with one node or one hop, WHERE with comparisons joined by AND, RETURN, and LIMIT`,
  );
}

function syntax(problem: string): AgentError {
  return new AgentError("CYPHER_SYNTAX", problem);
}
