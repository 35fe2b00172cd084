/** Conditions: checked filters over fields with a known kind, and their evaluation for one record. */

/**
 * Kind of a field. `state` is text from a closed set; `id` is text without an order; `texts` is a list; `map` has text
 * values.
 */
export type FieldKind = "text" | "id" | "state" | "time" | "number" | "boolean" | "texts" | "map";

/** Fields that a filter can use. */
export type FieldTable = Readonly<Record<string, FieldRule>>;

/** What a filter can do with a field. */
interface FieldRule {
  readonly kind: FieldKind;
  /** Values of a `state`. */
  readonly values?: readonly string[];
  /** Prefix of `values` in the contract: filters accept both `RUN_STATE_FAILED`, as in responses, and `FAILED`. */
  readonly prefix?: string;
}

/** A field in a condition. `key` is set for maps. */
export interface FieldRef {
  readonly name: string;
  readonly key?: string;
}

/** A value in a condition. Times are milliseconds since the epoch. */
export type Operand = string | number | boolean;

/** Comparison operators. */
export type Comparison = "==" | "!=" | "<" | "<=" | ">" | ">=";

export type Condition =
  | { readonly op: "and" | "or"; readonly args: readonly Condition[] }
  | { readonly op: "not"; readonly arg: Condition }
  | { readonly op: "in"; readonly field: FieldRef; readonly values: readonly Operand[] }
  | { readonly op: Comparison; readonly field: FieldRef; readonly value: Operand }
  | { readonly op: "has"; readonly field: FieldRef }
  | { readonly op: "contains"; readonly field: FieldRef; readonly value: string };

/** Reads a field of a record; undefined if the record has no value. */
export type ReadField = (field: FieldRef) => Operand | readonly string[] | undefined;

/** Whether a record meets a condition. For a missing value, `!=` is true and every other comparison is false. */
export function meetsCondition(condition: Condition, read: ReadField): boolean {
  switch (condition.op) {
    case "and":
      return condition.args.every((arg) => meetsCondition(arg, read));
    case "or":
      return condition.args.some((arg) => meetsCondition(arg, read));
    case "not":
      return !meetsCondition(condition.arg, read);
    case "has":
      return read(condition.field) !== undefined;
    case "in": {
      const value = read(condition.field);
      return condition.values.some((one) => one === value);
    }
    case "contains": {
      const list = read(condition.field);
      return Array.isArray(list) && list.includes(condition.value);
    }
    default:
      return compare(condition.op, read(condition.field), condition.value);
  }
}

function compare(op: Comparison, left: ReturnType<ReadField>, right: Operand): boolean {
  if (op === "!=") return left !== right;
  if (op === "==") return left === right;
  if (left === undefined || typeof left !== typeof right) return false;
  const [a, b] = [left as string | number, right as string | number];
  switch (op) {
    case "<":
      return a < b;
    case "<=":
      return a <= b;
    case ">":
      return a > b;
    case ">=":
      return a >= b;
  }
}
