/**
 * Parses CEL in one pass without backtracking, so that the time is linear in the source. Nesting is limited to
 * {@link MAX_NESTING}.
 *
 * Grammar: https://github.com/google/cel-spec/blob/v0.25.1/doc/langdef.md#syntax
 */
import { readTokens, type Token } from "./lexer.ts";
import { type Expr, type LoopExpr, SyntaxProblem } from "./syntax.ts";

/** Maximum nesting depth of parentheses, brackets, arguments, and signs. */
const MAX_NESTING = 200;

const LEVELS: readonly (readonly string[])[] = [
  ["||"],
  ["&&"],
  ["<", "<=", ">", ">=", "==", "!=", "in"],
  ["+", "-"],
  ["*", "/", "%"],
];
const RESERVED = new Set(
  "as break const continue else for function if import let loop package namespace return var void while".split(" "),
);
const MACROS = new Set(["all", "exists", "exists_one", "existsOne", "map", "filter", "reduce"]);

/** Operators that other languages spell as words. */
const WORDS: Readonly<Record<string, string>> = {
  and: "and is written &&",
  or: "or is written ||",
  not: "not is written !",
};

/** Parses a source. Throws {@link SyntaxProblem}. */
export function parseExpression(source: string): Expr {
  return new Parser(readTokens(source)).parse();
}

class Parser {
  private readonly tokens: readonly Token[];
  private position = 0;
  private depth = 0;

  constructor(tokens: readonly Token[]) {
    this.tokens = tokens;
  }

  parse(): Expr {
    if (this.peek().kind === "end") this.refuse(this.peek(), "the expression is empty");
    const expr = this.conditional();
    if (this.peek().kind !== "end") this.unexpected("an operator");
    return expr;
  }

  private peek(): Token {
    return this.tokens[this.position] as Token;
  }

  private take(): Token {
    return this.tokens[this.position++] as Token;
  }

  private is(text: string): boolean {
    const { kind, text: found } = this.peek();
    return found === text && (kind === "operator" || (kind === "name" && text === "in"));
  }

  private accept(text: string): boolean {
    if (!this.is(text)) return false;
    this.position++;
    return true;
  }

  private expect(text: string, opened: Token): void {
    if (this.accept(text)) return;
    if (this.peek().kind === "end") this.refuse(opened, `"${opened.text}" is not closed; "${text}" is missing`);
    this.unexpected(`"${text}"${text === ":" ? "" : ' or ","'}`);
  }

  private unexpected(wanted: string): never {
    const { kind, text } = this.peek();
    if (kind === "end") this.refuse(this.peek(), `${wanted} is expected`);
    const before = this.tokens[this.position - 1]?.text ?? "";
    const cure =
      WORDS[text.toLowerCase()] ??
      (before.toLowerCase() === "not" ? WORDS.not : undefined) ??
      (before === "<" && text === ">" ? "not equal is written !=" : undefined);
    this.refuse(
      this.peek(),
      `${wanted} is expected, not ${JSON.stringify(text)}${cure === undefined ? "" : `; ${cure}`}`,
    );
  }

  private refuse(token: Token, problem: string): never {
    throw new SyntaxProblem(token.at, problem);
  }

  private nest<T>(body: () => T): T {
    if (++this.depth > MAX_NESTING)
      this.refuse(this.peek(), `the expression nests deeper than ${MAX_NESTING} operations`);
    const result = body();
    this.depth--;
    return result;
  }

  private conditional(): Expr {
    return this.nest(() => {
      const condition = this.binary(0);
      const question = this.peek();
      if (!this.accept("?")) return condition;
      const yes = this.binary(0);
      this.expect(":", question);
      const no = this.conditional();
      return call("_?_:_", [condition, yes, no], question.at);
    });
  }

  /**
   * Operators of one level and those that bind tighter. `a && b && c` is one call; other operators associate to the
   * left.
   */
  private binary(level: number): Expr {
    const operators = LEVELS[level];
    if (operators === undefined) return this.unary();
    let left = this.binary(level + 1);
    for (;;) {
      const token = this.peek();
      const operator = operators.find((candidate) => this.is(candidate));
      if (operator === undefined) return left;
      this.position++;
      const right = this.binary(level + 1);
      const name = operator === "in" ? "@in" : `_${operator}_`;
      if (level < 2 && left.kind === "call" && left.name === name) left = { ...left, args: [...left.args, right] };
      else left = call(name, [left, right], token.at);
    }
  }

  private unary(): Expr {
    const token = this.peek();
    if (this.accept("!")) return this.nest(() => call("!_", [this.unary()], token.at));
    if (!this.accept("-")) return this.members(this.primary(false));
    const { kind, value } = this.peek();
    if (kind !== "literal" || (typeof value !== "bigint" && typeof value !== "number"))
      return this.nest(() => call("-_", [this.unary()], token.at));
    this.take();
    return this.members({ kind: "constant", value: -value, at: token.at });
  }

  private members(start: Expr): Expr {
    let expr = start;
    for (;;) {
      const token = this.peek();
      if (this.accept(".")) expr = this.member(expr, token);
      else if (this.accept("[")) {
        if (this.is("?")) this.refuse(this.peek(), "optional values do not exist here; ask with has(…) first");
        const key = this.conditional();
        this.expect("]", token);
        expr = call("_[_]", [expr, key], token.at);
      } else if (expr.kind === "select" && this.is("{")) expr = this.map(expr.field, token);
      else return expr;
    }
  }

  private member(operand: Expr, dot: Token): Expr {
    const token = this.take();
    if (token.kind === "quoted name")
      return { kind: "select", operand, field: token.value as string, test: false, at: dot.at };
    if (token.kind !== "name") {
      this.position--;
      if (this.is("?")) this.refuse(token, "optional values do not exist here; ask with has(…) first");
      this.unexpected("the name of a member");
    }
    if (!this.is("(")) {
      if (["in", "true", "false", "null"].includes(token.text)) this.reserved(token);
      return { kind: "select", operand, field: token.text, test: false, at: dot.at };
    }
    const args = this.args();
    if (MACROS.has(token.text)) return expandLoop(token, operand, args);
    return { kind: "call", name: token.text, target: operand, args, at: token.at };
  }

  private args(): Expr[] {
    return this.sequence(")", () => this.conditional());
  }

  /** Comma-separated elements up to `close`; lists and maps may have a trailing comma. */
  private sequence<T>(close: string, read: () => T): T[] {
    const opened = this.take();
    const elements: T[] = [];
    if (this.accept(close)) return elements;
    do {
      if (close !== ")" && elements.length > 0 && this.is(close)) break;
      if (this.is("?")) this.refuse(this.peek(), "optional values do not exist here; ask with has(…) first");
      elements.push(read());
    } while (this.accept(","));
    this.expect(close, opened);
    return elements;
  }

  private primary(absolute: boolean): Expr {
    const token = this.peek();
    if (token.kind === "literal") {
      this.take();
      if (token.value === 9_223_372_036_854_775_808n)
        this.refuse(
          token,
          `${token.text} does not fit into an int, which has 64 bits; write ${token.text}.0 for a double`,
        );
      return { kind: "constant", value: token.value, at: token.at };
    }
    if (token.kind === "name") return this.nameOrCall(absolute);
    if (absolute) this.unexpected("a name");
    if (this.accept(".")) return this.primary(true);
    if (this.accept("(")) {
      const inner = this.conditional();
      this.expect(")", token);
      return inner;
    }
    if (this.is("[")) return { kind: "list", elements: this.sequence("]", () => this.conditional()), at: token.at };
    if (this.is("{")) return this.map(null, token);
    return this.unexpected("a value");
  }

  private map(message: string | null, token: Token): Expr {
    const entries = this.sequence("}", (): readonly [Expr, Expr] => {
      const key = this.conditional();
      this.expect(":", token);
      return [key, this.conditional()];
    });
    return { kind: "map", message, entries, at: token.at };
  }

  private nameOrCall(absolute: boolean): Expr {
    const token = this.take();
    const { text, at } = token;
    if (!absolute && (text === "true" || text === "false")) return { kind: "constant", value: text === "true", at };
    if (!absolute && text === "null") return { kind: "constant", value: null, at };
    if (text === "in" || RESERVED.has(text)) this.reserved(token);
    if (this.is("(")) {
      const args = this.args();
      if (text === "has") return expandHas(token, args);
      return { kind: "call", name: text, target: null, args, at };
    }
    if (this.is("{")) return this.map(text, token);
    return { kind: "name", name: text, absolute, at };
  }

  private reserved(token: Token): never {
    this.refuse(
      token,
      `"${token.text}" is a reserved word; a task or variable of that name is written tasks["name"] or vars["name"]`,
    );
  }
}

function call(name: string, args: readonly Expr[], at: number): Expr {
  return { kind: "call", name, target: null, args, at };
}

function expandHas(token: Token, args: readonly Expr[]): Expr {
  const [arg] = args;
  if (args.length === 1 && arg?.kind === "select") return { ...arg, test: true };
  // Lists ask has(field); expressions refuse it.
  return call("has", args, token.at);
}

const FORMS: Readonly<Record<string, string>> = {
  map: "list.map(x, value) or list.map(x, condition, value)",
  reduce: "list.reduce(sum, x, start, value)",
};

function expandLoop(token: Token, range: Expr, args: readonly Expr[]): LoopExpr {
  const { at } = token;
  const macro = (token.text === "existsOne" ? "exists_one" : token.text) as LoopExpr["macro"];
  const form = FORMS[macro] ?? `list.${token.text}(x, condition)`;
  const count = macro === "reduce" ? [4] : macro === "map" ? [2, 3] : [2];
  if (!count.includes(args.length))
    throw new SyntaxProblem(at, `${token.text} has ${args.length} arguments; it is written ${form}`);
  const variable = loopName(args[macro === "reduce" ? 1 : 0] as Expr, token, form);
  const step = args.at(-1) as Expr;
  const base = { kind: "loop", macro, range, variable, at } as const;
  if (macro === "reduce") {
    const name = loopName(args[0] as Expr, token, form);
    if (name === variable)
      throw new SyntaxProblem(at, `reduce needs two names, not "${name}" twice; it is written ${form}`);
    return { ...base, accumulator: { name, start: args[2] as Expr }, condition: null, step };
  }
  if (macro === "filter") {
    const element: Expr = { kind: "name", name: variable, absolute: false, at };
    return { ...base, accumulator: null, condition: step, step: element };
  }
  return { ...base, accumulator: null, condition: args.length === 3 ? (args[1] as Expr) : null, step };
}

function loopName(expr: Expr, token: Token, form: string): string {
  if (expr.kind === "name" && !expr.absolute) return expr.name;
  throw new SyntaxProblem(expr.at, `${token.text} needs a plain name here; it is written ${form}`);
}
