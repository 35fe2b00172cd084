/**
 * Filters: CEL over the documented fields of a list. The library parses; here the tree is checked and becomes a {@link Condition}.
 *
 * Known are `&&`, `||`, `!`, the comparisons of a field with a constant (on either side), `field in [constants]`, `"text" in list_field`, `has(field)`,
 * `labels["key"]` and `labels.key`, a boolean field alone, and `timestamp("…")`. Everything else is FILTER_INVALID with place and cure.
 */
import { parse } from "@bufbuild/cel";
import { fail } from "../../base/errors.ts";
import type { Comparison, Condition, FieldRef, FieldTable, Operand } from "./condition.ts";

type Expr = ReturnType<typeof parse>["expr"];

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

/** Parses a filter; empty text gives null. Error: FILTER_INVALID. */
export function parseFilter(text: string, fields: FieldTable): Condition | null {
  if (text.trim() === "") return null;
  return new FilterReader(text, fields).read();
}

class FilterReader {
  readonly #text: string;
  readonly #fields: FieldTable;
  #positions: Readonly<Record<string, number>> = {};
  #count = 0;

  constructor(text: string, fields: FieldTable) {
    this.#text = text;
    this.#fields = fields;
  }

  read(): Condition {
    let parsed: ReturnType<typeof parse>;
    try {
      parsed = parse(this.#text);
    } catch (cause) {
      if (cause instanceof RangeError) return fail("FILTER_INVALID", { problem: "it nests too deep" }, { cause });
      const { rawMessage, location } = cause as {
        rawMessage?: string;
        location?: { start?: { line: number; column: number } };
      };
      const place =
        location?.start === undefined ? "" : `line ${location.start.line}, column ${location.start.column}: `;
      return fail("FILTER_INVALID", { problem: `${place}${rawMessage ?? "it is no CEL expression"}` }, { cause });
    }
    this.#positions = (parsed.sourceInfo?.positions ?? {}) as Readonly<Record<string, number>>;
    return this.#condition(parsed.expr);
  }

  #condition(expr: Expr): Condition {
    this.#count += 1;
    if (this.#count > MAX_CONDITIONS * 2) this.#refuse(expr, `it has more than ${MAX_CONDITIONS} conditions`);
    const kind = expr.exprKind;
    if (kind.case === "selectExpr" && kind.value.testOnly)
      return { op: "has", field: this.#label(expr, kind.value.operand, kind.value.field) };
    if (kind.case === "identExpr" || kind.case === "selectExpr") return this.#flag(expr);
    if (kind.case !== "callExpr") return this.#refuse(expr, "a condition is expected here");
    const { function: name, args } = kind.value;
    const [first, second] = args as Expr[];
    if (first === undefined) return this.#refuse(expr, `${name}() is not known`);
    if ((name === "_&&_" || name === "_||_") && second !== undefined) {
      return this.#join(name === "_&&_" ? "and" : "or", [this.#condition(first), this.#condition(second)]);
    }
    if (name === "!_") return { op: "not", arg: this.#condition(first) };
    if (name === "has") return { op: "has", field: this.#field(first) };
    if (second === undefined) return this.#refuse(expr, `${name}() is not known`);
    if (name === "@in") return this.#membership(expr, first, second);
    const comparison = COMPARISONS[name];
    if (comparison === undefined)
      return this.#refuse(expr, `${name.replaceAll("_", " ").trim()} is not known in filters`);
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
    const isNull = constant.exprKind.case === "constExpr" && constant.exprKind.value.constantKind.case === "nullValue";
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
    if (list.exprKind.case === "listExpr") {
      const field = this.#field(element);
      return {
        op: "in",
        field,
        values: (list.exprKind.value.elements as Expr[]).map((one) => this.#operand(field, one)),
      };
    }
    const field = this.#field(list);
    if (this.#kindOf(field) !== "texts") {
      if (this.#fields[field.name]?.kind === "map" && field.key === undefined)
        return { op: "has", field: { name: field.name, key: this.#quoted(element) } };
      this.#refuse(expr, `${field.name} is no list; write field in ["a", "b"]`);
    }
    return { op: "contains", field, value: this.#quoted(element) };
  }

  #quoted(expr: Expr): string {
    const kind = expr.exprKind;
    if (kind.case === "constExpr" && kind.value.constantKind.case === "stringValue")
      return this.#storable(expr, kind.value.constantKind.value);
    return this.#refuse(expr, "a text in quotes is expected here");
  }

  #field(expr: Expr): FieldRef {
    const kind = expr.exprKind;
    if (kind.case === "identExpr") {
      const { name } = kind.value;
      if (!Object.hasOwn(this.#fields, name))
        this.#refuse(expr, `${name} is no field; fields are ${Object.keys(this.#fields).join(", ")}`);
      return { name };
    }
    if (kind.case === "selectExpr") return this.#label(expr, kind.value.operand as Expr | undefined, kind.value.field);
    if (kind.case === "callExpr" && kind.value.function === "_[_]") {
      const [operand, key] = kind.value.args as Expr[];
      return this.#label(expr, operand, key === undefined ? "" : this.#quoted(key));
    }
    return this.#refuse(expr, `a field is expected here: ${Object.keys(this.#fields).join(", ")}`);
  }

  #label(expr: Expr, operand: Expr | undefined, key: string): FieldRef {
    const name = operand?.exprKind.case === "identExpr" ? operand.exprKind.value.name : "";
    if (!Object.hasOwn(this.#fields, name) || this.#fields[name]?.kind !== "map")
      this.#refuse(expr, `${name || "this"} has no parts`);
    return { name, key };
  }

  #kindOf(field: FieldRef): string {
    const kind = this.#fields[field.name]?.kind ?? "text";
    return kind === "map" && field.key !== undefined ? "text" : kind;
  }

  #operand(field: FieldRef, expr: Expr): Operand {
    const kind = this.#kindOf(field);
    const value = constantOf(expr);
    if (value === undefined) return this.#refuse(expr, `${field.name} must be compared with a constant`);
    if (typeof value === "string") this.#storable(expr, value);
    switch (kind) {
      case "time": {
        const at = typeof value === "string" && /^\d{4}-\d\d-\d\d/.test(value) ? Date.parse(value) : Number.NaN;
        return Number.isNaN(at)
          ? this.#refuse(expr, `${field.name} needs a time: timestamp("2026-01-31T12:00:00Z")`)
          : at;
      }
      case "number":
        return typeof value === "number" ? value : this.#refuse(expr, `${field.name} needs a number`);
      case "boolean":
        return typeof value === "boolean" ? value : this.#refuse(expr, `${field.name} needs true or false`);
      case "state": {
        const values = this.#fields[field.name]?.values ?? [];
        if (typeof value === "string" && values.includes(value)) return value;
        return this.#refuse(expr, `${field.name} is one of ${values.map((one) => JSON.stringify(one)).join(", ")}`);
      }
      case "map":
        return this.#refuse(expr, `write ${field.name}["key"]`);
      default:
        return typeof value === "string" ? value : this.#refuse(expr, `${field.name} needs a text in quotes`);
    }
  }

  /** The text, when a database can compare with it: escapes can write what no stored text holds. */
  #storable(expr: Expr, text: string): string {
    if (text.includes("\u0000")) this.#refuse(expr, "text cannot hold NUL");
    if (!text.isWellFormed()) this.#refuse(expr, "text cannot hold half of a surrogate pair");
    return text;
  }

  #refuse(expr: Expr, problem: string): never {
    const offset = this.#positions[String(expr.id)];
    const place = offset === undefined ? "" : `column ${offset + 1}: `;
    return fail("FILTER_INVALID", { problem: `${place}${problem}` });
  }
}

function isConstant(expr: Expr): boolean {
  return expr.exprKind.case === "constExpr" || constantOf(expr) !== undefined;
}

function constantOf(expr: Expr): Operand | undefined {
  const kind = expr.exprKind;
  if (kind.case === "callExpr" && kind.value.function === "timestamp" && kind.value.args.length === 1) {
    const inner = constantOf(kind.value.args[0] as Expr);
    return typeof inner === "string" ? inner : undefined;
  }
  if (kind.case !== "constExpr") return undefined;
  const constant = kind.value.constantKind;
  switch (constant.case) {
    case "stringValue":
    case "boolValue":
    case "doubleValue":
      return constant.value;
    case "int64Value":
    case "uint64Value":
      return Number(constant.value);
    default:
      return undefined;
  }
}
