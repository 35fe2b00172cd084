/**
 * Filters: CEL over the documented fields of a list, checked and converted to a {@link Condition}.
 *
 * Supported are `&&`, `||`, `!`, comparisons of a field with a constant (on either side), `field in [constants]`,
 * `"text" in list_field`, `has(field)`, `labels["key"]` and `labels.key`, a boolean field alone, and `timestamp("…")`.
 * Everything else is FILTER_INVALID with the position and a fix.
 */
import { fail } from "../../base/errors.ts";
import { isFitInteger } from "../../base/json/json-scan.ts";
import { parseExpression } from "../../flows/expressions/language/parser.ts";
import { type CallExpr, type Expr, SyntaxProblem } from "../../flows/expressions/language/syntax.ts";
import { parseTimestamp } from "../../flows/expressions/values/time.ts";
import { Uint } from "../../flows/expressions/values/values.ts";
import type { Comparison, Condition, FieldRef, FieldTable, Operand } from "./condition.ts";

/** Most comparisons in one filter. */
const MAX_CONDITIONS = 200;

const COMPARISONS: Readonly<Record<string, Comparison>> = {
  "_==_": "==",
  "_!=_": "!=",
  "_<_": "<",
  "_<=_": "<=",
  "_>_": ">",
  "_>=_": ">=",
};
const MIRRORED: Readonly<Record<Comparison, Comparison>> = {
  "==": "==",
  "!=": "!=",
  "<": ">",
  "<=": ">=",
  ">": "<",
  ">=": "<=",
};

/** Parses a filter; null for empty text. Error: FILTER_INVALID. */
export function parseFilter(text: string, fields: FieldTable): Condition | null {
  if (text.trim() === "") return null;
  return new FilterReader(text, fields).read();
}

class FilterReader {
  readonly #text: string;
  readonly #fields: FieldTable;
  #count = 0;

  constructor(text: string, fields: FieldTable) {
    this.#text = text;
    this.#fields = fields;
  }

  read(): Condition {
    let parsed: Expr;
    try {
      parsed = parseExpression(this.#text);
    } catch (cause) {
      if (!(cause instanceof SyntaxProblem)) throw cause;
      return fail("FILTER_INVALID", { problem: `${this.#place(cause.at)}: ${cause.message}` }, { cause });
    }
    return this.#condition(parsed);
  }

  #condition(expr: Expr): Condition {
    const isJoin = expr.kind === "call" && (expr.name === "_&&_" || expr.name === "_||_");
    if (!isJoin) this.#count += 1;
    if (this.#count > MAX_CONDITIONS) this.#refuse(expr, `it has more than ${MAX_CONDITIONS} conditions`);
    if (expr.kind === "select" && expr.test) return { op: "has", field: this.#label(expr, expr.operand, expr.field) };
    if (expr.kind === "name" || expr.kind === "select") return this.#flag(expr);
    if (expr.kind !== "call") return this.#refuse(expr, "expected a condition here");
    return this.#call(expr);
  }

  #call(expr: CallExpr): Condition {
    const { name, args, target } = expr;
    if (target !== null) return this.#refuse(expr, `filters do not support ${name}()`);
    const [first, second] = args;
    if (first === undefined) return this.#refuse(expr, `filters do not support ${name}()`);
    if (name === "_&&_" || name === "_||_") {
      return this.#join(
        name === "_&&_" ? "and" : "or",
        args.map((arg) => this.#condition(arg)),
      );
    }
    if (name === "has") return { op: "has", field: this.#field(first) };
    if (name === "!_") return { op: "not", arg: this.#condition(first) };
    if (second === undefined) return this.#refuse(expr, `filters do not support ${name}()`);
    if (name === "@in") return this.#membership(expr, first, second);
    const comparison = COMPARISONS[name];
    if (comparison === undefined)
      return this.#refuse(expr, `${name.replaceAll("_", " ").trim()} is not supported in filters`);
    return this.#comparison(expr, comparison, first, second);
  }

  #join(op: "and" | "or", parts: readonly Condition[]): Condition {
    return { op, args: parts.flatMap((part) => (part.op === op ? part.args : [part])) };
  }

  #flag(expr: Expr): Condition {
    const field = this.#field(expr);
    if (this.#kindOf(field) !== "boolean")
      this.#refuse(expr, `compare ${field.name} with something: ${field.name} == …`);
    return { op: "==", field, value: true };
  }

  #comparison(expr: Expr, op: Comparison, left: Expr, right: Expr): Condition {
    const mirrored = isConstant(left);
    const field = this.#field(mirrored ? right : left);
    const constant = mirrored ? left : right;
    const isNull = constant.kind === "constant" && constant.value === null;
    if (isNull && (op === "==" || op === "!=")) {
      const has: Condition = { op: "has", field };
      return op === "!=" ? has : { op: "not", arg: has };
    }
    const kind = this.#kindOf(field);
    if (kind === "texts") this.#refuse(expr, `${field.name} is a list; write "text" in ${field.name}`);
    if ((kind === "state" || kind === "id" || kind === "boolean") && op !== "==" && op !== "!=")
      this.#refuse(expr, `${field.name} has no order; use == or !=`);
    return { op: mirrored ? MIRRORED[op] : op, field, value: this.#operand(field, constant) };
  }

  #membership(expr: Expr, element: Expr, list: Expr): Condition {
    if (list.kind === "list") {
      const field = this.#field(element);
      return { op: "in", field, values: list.elements.map((one) => this.#operand(field, one)) };
    }
    const field = this.#field(list);
    if (this.#kindOf(field) !== "texts") {
      if (this.#fields[field.name]?.kind === "map" && field.key === undefined)
        return { op: "has", field: { name: field.name, key: this.#quoted(element) } };
      this.#refuse(expr, `${field.name} is not a list; write field in ["a", "b"]`);
    }
    return { op: "contains", field, value: this.#quoted(element) };
  }

  #quoted(expr: Expr): string {
    if (expr.kind === "constant" && typeof expr.value === "string") return this.#storable(expr, expr.value);
    return this.#refuse(expr, "expected text in quotes here");
  }

  #field(expr: Expr): FieldRef {
    if (expr.kind === "name") {
      const { name } = expr;
      if (!Object.hasOwn(this.#fields, name))
        this.#refuse(expr, `${name} is not a field; fields are ${Object.keys(this.#fields).join(", ")}`);
      return { name };
    }
    if (expr.kind === "select" && !expr.test) return this.#label(expr, expr.operand, expr.field);
    if (expr.kind === "call" && expr.name === "_[_]") {
      const [operand, key] = expr.args;
      return this.#label(expr, operand, key === undefined ? "" : this.#quoted(key));
    }
    return this.#refuse(expr, `expected a field here: ${Object.keys(this.#fields).join(", ")}`);
  }

  #label(expr: Expr, operand: Expr | undefined, key: string): FieldRef {
    const name = operand?.kind === "name" ? operand.name : "";
    if (!Object.hasOwn(this.#fields, name) || this.#fields[name]?.kind !== "map")
      this.#refuse(expr, this.#explainPart(name));
    return { name, key };
  }

  /** Why a name has no `.part`. */
  #explainPart(name: string): string {
    const fields = Object.keys(this.#fields);
    const near = fields.filter((field) => field.startsWith(`${name}_`));
    if (name === "") return `expected a field here: ${fields.join(", ")}`;
    if (Object.hasOwn(this.#fields, name)) return `${name} has no parts; compare ${name} itself`;
    const cure = near.length > 0 ? `did you mean ${near.join(" or ")}?` : `fields are ${fields.join(", ")}`;
    return `${name} is not a field; ${cure}`;
  }

  #kindOf(field: FieldRef): string {
    const kind = this.#fields[field.name]?.kind ?? "text";
    return kind === "map" && field.key !== undefined ? "text" : kind;
  }

  #operand(field: FieldRef, expr: Expr): Operand {
    const kind = this.#kindOf(field);
    const value = constantOf(expr);
    if (value === undefined) {
      const cure = expr.kind === "name" ? `; write text in quotes: "${expr.name}"` : "";
      return this.#refuse(expr, `${field.name} must be compared with a constant${cure}`);
    }
    if (typeof value === "string") this.#storable(expr, value);
    switch (kind) {
      case "time": {
        const nanos = typeof value === "string" ? parseTimestamp(value) : undefined;
        return nanos === undefined
          ? this.#refuse(expr, `${field.name} needs a time with its zone: timestamp("2026-01-31T12:00:00Z")`)
          : Number(nanos / 1_000n) / 1_000;
      }
      case "number":
        if (expr.kind === "constant" && typeof expr.value === "bigint" && !isFitInteger(expr.value))
          return this.#refuse(expr, `the integer ${expr.value} is too large to be exact`);
        return typeof value === "number" ? value : this.#refuse(expr, `${field.name} needs a number`);
      case "boolean":
        return typeof value === "boolean" ? value : this.#refuse(expr, `${field.name} needs true or false`);
      case "state": {
        const { values = [], prefix } = this.#fields[field.name] ?? {};
        const short =
          typeof value === "string" && prefix !== undefined && value.startsWith(prefix)
            ? value.slice(prefix.length)
            : value;
        if (typeof short === "string" && values.includes(short)) return short;
        return this.#refuse(expr, `${field.name} is one of ${values.map((one) => JSON.stringify(one)).join(", ")}`);
      }
      case "map":
        return this.#refuse(expr, `write ${field.name}["key"]`);
      default:
        return typeof value === "string" ? value : this.#refuse(expr, `${field.name} needs text in quotes`);
    }
  }

  /** Checks that the database can compare with the text: escapes can produce what no stored text contains. */
  #storable(expr: Expr, text: string): string {
    if (text.includes("\u0000")) this.#refuse(expr, "text cannot contain NUL");
    if (!text.isWellFormed()) this.#refuse(expr, "text cannot contain half of a surrogate pair");
    return text;
  }

  #place(at: number): string {
    const lines = this.#text.slice(0, at).split("\n");
    const column = `column ${(lines.at(-1)?.length ?? 0) + 1}`;
    return lines.length === 1 ? column : `line ${lines.length}, ${column}`;
  }

  #refuse(expr: Expr, problem: string): never {
    return fail("FILTER_INVALID", { problem: `${this.#place(expr.at)}: ${problem}` });
  }
}

function isConstant(expr: Expr): boolean {
  return expr.kind === "constant" || constantOf(expr) !== undefined;
}

function constantOf(expr: Expr): Operand | undefined {
  if (expr.kind === "call" && expr.name === "timestamp" && expr.target === null && expr.args.length === 1) {
    const inner = constantOf(expr.args[0] as Expr);
    return typeof inner === "string" ? inner : undefined;
  }
  if (expr.kind !== "constant") return undefined;
  const { value } = expr;
  if (typeof value === "string" || typeof value === "boolean" || typeof value === "number") return value;
  if (typeof value === "bigint") return Number(value);
  return value instanceof Uint ? Number(value.value) : undefined;
}
