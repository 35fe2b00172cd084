/**
 * A tiny evaluator for the expressions that the generators write: integers, text, booleans, null, lists by index,
 * member access, arithmetic, comparison, logic and the conditional operator. It parses every time anew.
 */
import type { Json } from "./document.ts";

/** Names that an expression may read. */
export type Names = { [name: string]: Json };

/** Thrown for everything that makes an expression fail. */
export class ExpressionFailure extends Error {}

const TOKEN = /\s*(\d+|"[^"]*"|[A-Za-z_]\w*|==|!=|<=|>=|&&|\|\||[-+*%<>!?:.()[\]])/y;
const BINARY: { [operator: string]: number } = {
  "||": 1,
  "&&": 2,
  "==": 3,
  "!=": 3,
  "<": 4,
  ">": 4,
  "<=": 4,
  ">=": 4,
  "+": 5,
  "-": 5,
  "*": 6,
  "%": 6,
};

/**
 * The value of a document part with every `${…}` in it evaluated; text that is one expression keeps its type. Throws
 * {@link ExpressionFailure}.
 */
export function evaluateTemplate(value: Json, names: Names): Json {
  if (typeof value === "string") return evaluateText(value, names);
  if (Array.isArray(value)) return value.map((element) => evaluateTemplate(element, names));
  if (value !== null && typeof value === "object") {
    return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, evaluateTemplate(member, names)]));
  }
  return value;
}

/** The boolean that `text`, one `${…}`, gives. Another type of result fails it. */
export function evaluateBoolean(text: string, names: Names): boolean {
  const value = evaluateText(text, names);
  if (typeof value !== "boolean") throw new ExpressionFailure(`${text} is no boolean`);
  return value;
}

function evaluateText(text: string, names: Names): Json {
  const whole = /^\$\{([^}]*)\}$/.exec(text);
  if (whole !== null) return evaluateExpression(whole[1] ?? "", names);
  return text.replaceAll(/\$\$\{|\$\{([^}]*)\}/g, (found, expression: string) =>
    found === "$${" ? "${" : String(evaluateExpression(expression, names)),
  );
}

/** The value of one expression. */
export function evaluateExpression(source: string, names: Names): Json {
  return parse(source)(names);
}

/** A parsed expression, or a part of one. Throws {@link ExpressionFailure}. */
type Part = (names: Names) => Json;

function parse(source: string): Part {
  const tokens = tokenize(source);
  let position = 0;
  const peek = (): string | undefined => tokens[position];
  const take = (): string => tokens[position++] ?? fail(`${source} ends too early`);
  const expect = (token: string): void => {
    const found = take();
    if (found !== token) fail(`${source}: expected ${token}, found ${found}`);
  };

  const conditional = (): Part => {
    const test = binary(1);
    if (peek() !== "?") return test;
    expect("?");
    const yes = conditional();
    expect(":");
    const no = conditional();
    return (names) => (toBoolean(test(names), source) ? yes(names) : no(names));
  };
  const binary = (level: number): Part => {
    let left = unary();
    for (;;) {
      const operator = peek() ?? "";
      const rank = BINARY[operator];
      if (rank === undefined || rank < level) return left;
      expect(operator);
      left = combine(operator, left, binary(rank + 1), source);
    }
  };
  const unary = (): Part => {
    const operator = peek();
    if (operator !== "!" && operator !== "-") return member();
    expect(operator);
    const operand = unary();
    if (operator === "!") return (names) => !toBoolean(operand(names), source);
    return (names) => 0 - toNumber(operand(names), source);
  };
  const member = (): Part => {
    let object = primary();
    for (;;) {
      const inner = object;
      if (peek() === ".") {
        expect(".");
        const name = take();
        object = (names) => field(inner(names), name, source);
      } else if (peek() === "[") {
        expect("[");
        const key = conditional();
        expect("]");
        object = (names) => element(inner(names), key(names), source);
      } else {
        return object;
      }
    }
  };
  const primary = (): Part => {
    const token = take();
    if (token === "(") {
      const inner = conditional();
      expect(")");
      return inner;
    }
    if (token === "[") {
      expect("]");
      return () => [];
    }
    if (/^\d/.test(token)) return () => Number(token);
    if (token.startsWith('"')) return () => token.slice(1, -1);
    if (token === "true" || token === "false") return () => token === "true";
    if (token === "null") return () => null;
    return (names) => names[token] ?? (token in names ? null : fail(`${source}: unknown name ${token}`));
  };

  const whole = conditional();
  if (position !== tokens.length) fail(`${source}: ${peek()} is too much`);
  return whole;
}

function fail(problem: string): never {
  throw new ExpressionFailure(problem);
}

function tokenize(source: string): string[] {
  const tokens: string[] = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < source.trimEnd().length) {
    const match = TOKEN.exec(source);
    if (match?.[1] === undefined) throw new ExpressionFailure(`cannot read ${source}`);
    tokens.push(match[1]);
  }
  return tokens;
}

/** Both sides with an operator between them. `&&` and `||` forget a failure on one side when the other side decides. */
function combine(operator: string, left: Part, right: Part, source: string): Part {
  if (operator !== "&&" && operator !== "||") return (names) => apply(operator, left(names), right(names), source);
  const decides = operator === "||";
  return (names) => {
    const results = [left, right].map((side) => attempt(() => toBoolean(side(names), source)));
    if (results.includes(decides)) return decides;
    const failed = results.find((result) => result instanceof ExpressionFailure);
    if (failed !== undefined) throw failed;
    return !decides;
  };
}

function attempt(evaluate: () => boolean): boolean | ExpressionFailure {
  try {
    return evaluate();
  } catch (cause) {
    if (cause instanceof ExpressionFailure) return cause;
    throw cause;
  }
}

function apply(operator: string, left: Json, right: Json, source: string): Json {
  if (operator === "==") return same(left, right);
  if (operator === "!=") return !same(left, right);
  if (operator === "+" && typeof left === "string" && typeof right === "string") return left + right;
  const [a, b] = [toNumber(left, source), toNumber(right, source)];
  switch (operator) {
    case "+":
      return a + b;
    case "-":
      return a - b;
    case "*":
      return a * b;
    case "%":
      return b === 0 ? fail(`${source}: division by zero`) : a % b;
    case "<":
      return a < b;
    case ">":
      return a > b;
    case "<=":
      return a <= b;
    default:
      return a >= b;
  }
}

function toBoolean(value: Json, source: string): boolean {
  return typeof value === "boolean" ? value : fail(`${source}: ${JSON.stringify(value)} is no boolean`);
}

function toNumber(value: Json, source: string): number {
  return typeof value === "number" ? value : fail(`${source}: ${JSON.stringify(value)} is no number`);
}

function field(value: Json, name: string, source: string): Json {
  const found = value !== null && typeof value === "object" && !Array.isArray(value) ? value[name] : undefined;
  return found === undefined ? fail(`${source}: no field ${name}`) : found;
}

function element(value: Json, key: Json, source: string): Json {
  if (typeof key === "string") return field(value, key, source);
  const found = Array.isArray(value) ? value[toNumber(key, source)] : undefined;
  return found === undefined ? fail(`${source}: no element ${key}`) : found;
}

function same(left: Json, right: Json): boolean {
  return JSON.stringify(left) === JSON.stringify(right);
}
