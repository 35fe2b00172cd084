/**
 * Values that contain `${…}`: text is split into literal parts and expressions once, then evaluated as often as needed.
 * Results are never evaluated again.
 */

import type { Json } from "../../base/json/json.ts";
import { canonicalJson } from "../../base/json/json-canonical.ts";
import type { Path } from "../document/parse.ts";
import { withMeter } from "../expressions/values/meter.ts";
import type { Scope, Template } from "../plan.ts";
import { chargeFor, compileExpression, type Expression } from "./expression.ts";
import type { KnownNames, Slot } from "./references.ts";

/** A problem in a template, with the path from the template's root. */
export interface TemplateProblem {
  readonly path: Path;
  readonly description: string;
}

/** A compiled template with what it reads. */
export interface CompiledTemplate {
  readonly template: Template;
  readonly reads: readonly { readonly slot: Slot; readonly path: Path }[];
  readonly problems: readonly TemplateProblem[];
  /** Number of expressions, and their total length in characters. */
  readonly size: { readonly count: number; readonly characters: number };
}

/** Whether text contains an expression. `$${` is a literal `${`. */
export function holdsExpression(text: string): boolean {
  for (let at = text.indexOf("${"); at >= 0; at = text.indexOf("${", at + 2))
    if (at === 0 || text[at - 1] !== "$") return true;
  return false;
}

/** Compiles a value. Problems are collected, not thrown; a template with problems must not be evaluated. */
export function compileTemplate(value: Json, names: KnownNames): CompiledTemplate {
  const compiler = new Compiler(names);
  const evaluate = compiler.compile(value, []);
  const template: Template =
    typeof evaluate === "function"
      ? { constant: false, evaluate: (scope) => withMeter(() => evaluate(scope)) }
      : { constant: true, evaluate: () => evaluate.constant };
  return { template, reads: compiler.reads, problems: compiler.problems, size: compiler.size };
}

type Evaluator = (scope: Scope) => Json;
type Compiled = Evaluator | { readonly constant: Json };

class Compiler {
  readonly reads: { slot: Slot; path: Path }[] = [];
  readonly problems: TemplateProblem[] = [];
  readonly size = { count: 0, characters: 0 };
  private readonly names: KnownNames;

  constructor(names: KnownNames) {
    this.names = names;
  }

  compile(value: Json, path: Path): Compiled {
    if (typeof value === "string") return value.includes("${") ? this.compileText(value, path) : { constant: value };
    if (typeof value !== "object" || value === null) return { constant: value };
    return Array.isArray(value)
      ? this.compileList(value, path)
      : this.compileObject(Object.entries(value), value, path);
  }

  private compileList(list: readonly Json[], path: Path): Compiled {
    const parts = list.map((element, index) => this.compile(element, [...path, index]));
    if (parts.every((part) => typeof part !== "function")) return { constant: list };
    return (scope) => parts.map((part) => (typeof part === "function" ? part(scope) : part.constant));
  }

  private compileObject(entries: readonly (readonly [string, Json])[], object: Json, path: Path): Compiled {
    const parts = entries.map(([key, element]) => {
      if (holdsExpression(key))
        this.problems.push({ path: [...path, key], description: "keys are not evaluated; put ${…} into the value" });
      return [key, this.compile(element, [...path, key])] as const;
    });
    if (parts.every(([, part]) => typeof part !== "function")) return { constant: object };
    return (scope) => {
      const result: Record<string, Json> = {};
      for (const [key, part] of parts) {
        const value = typeof part === "function" ? part(scope) : part.constant;
        if (key === "__proto__")
          Object.defineProperty(result, key, { value, enumerable: true, writable: true, configurable: true });
        else result[key] = value;
      }
      return result;
    };
  }

  private compileText(text: string, path: Path): Compiled {
    const split = splitText(text);
    if (typeof split === "string") {
      this.problems.push({ path, description: split });
      return { constant: text };
    }
    const parts: (string | Expression)[] = [];
    for (const part of split) {
      if (typeof part === "string") parts.push(part);
      else {
        this.size.count++;
        this.size.characters += part.expression.length;
        const compiled = compileExpression(part.expression, this.names);
        if ("problems" in compiled) {
          for (const problem of compiled.problems)
            this.problems.push({ path, description: `\${${shorten(part.expression)}}: ${problem}` });
        } else {
          for (const slot of compiled.slots) this.reads.push({ slot, path });
          parts.push(compiled);
        }
      }
    }
    const [only] = parts;
    if (parts.length === 1 && only !== undefined && typeof only !== "string") return (scope) => inspected(only, scope);
    if (parts.every((part) => typeof part === "string")) return { constant: parts.join("") };
    return (scope) =>
      parts.map((part) => (typeof part === "string" ? part : toText(inspected(part, scope), part.source))).join("");
  }
}

function inspected(expression: Expression, scope: Scope): Json {
  const value = expression.evaluate(scope);
  return scope.inspect == null ? value : scope.inspect(value, expression.slots);
}

/** Converts a value for use inside text: text stays as it is, the rest becomes canonical JSON. */
function toText(value: Json, source: string): string {
  if (typeof value === "string") return value;
  if (typeof value === "object" && value !== null) {
    chargeFor(source, value);
    return canonicalJson(value);
  }
  return String(value);
}

/** Splits text into literal parts and expressions, or returns the problem. */
export function splitText(text: string): (string | { expression: string })[] | string {
  const parts: (string | { expression: string })[] = [];
  let literal = "";
  let at = 0;
  while (at < text.length) {
    const next = text.indexOf("${", at);
    if (next < 0) break;
    if (next > at && text[next - 1] === "$") {
      literal += `${text.slice(at, next - 1)}\${`;
      at = next + 2;
      continue;
    }
    literal += text.slice(at, next);
    const end = findEnd(text, next + 2);
    if (end === undefined) return `"\${" at character ${next + 1} is not closed; write $\${ for a literal one`;
    if (literal !== "") parts.push(literal);
    literal = "";
    parts.push({ expression: text.slice(next + 2, end) });
    at = end + 1;
  }
  literal += text.slice(at);
  if (literal !== "" || parts.length === 0) parts.push(literal);
  return parts;
}

/** Finds the closing brace of an expression that begins at `start`; braces in CEL strings do not count. */
function findEnd(text: string, start: number): number | undefined {
  let depth = 0;
  for (let at = start; at < text.length; at++) {
    const char = text[at];
    if (char === '"' || char === "'") {
      const raw = /[rR]/.test(text[at - 1] ?? "") && !/\w/.test(text[at - 2] ?? "");
      const quote = text.startsWith(char.repeat(3), at) ? char.repeat(3) : char;
      let close = at + quote.length;
      while (close < text.length && !text.startsWith(quote, close)) close += !raw && text[close] === "\\" ? 2 : 1;
      at = close + quote.length - 1;
    } else if (char === "{") depth++;
    else if (char === "}" && depth-- === 0) return at;
  }
  return undefined;
}

function shorten(source: string): string {
  return source.length > 80 ? `${source.slice(0, 77)}…` : source;
}
