import { compileTree } from "../../../../src/flows/expressions/evaluator.ts";
import { parseExpression } from "../../../../src/flows/expressions/language/parser.ts";
import {
  ExpressionError,
  ListValue,
  MapValue,
  Timestamp,
  type Value,
} from "../../../../src/flows/expressions/values/values.ts";
import { analyseExpression } from "../../../../src/flows/interpolation/references.ts";

/** Noon of a day in 2026: what `now()` gives in tests. */
export const NOON = new Timestamp(1_767_268_800_000_000_000n);

/** The value of an expression over variables. Throws for problems too. */
export function evaluate(source: string, variables: Readonly<Record<string, Value>> = {}): Value {
  const names = { variables: new Set(Object.keys(variables)), tasks: new Set<string>() };
  const { tree, slots, problems } = analyseExpression(parseExpression(source), source, names);
  if (problems.length > 0) throw new Error(problems.join("; "));
  const values = slots.map(({ path }) => {
    let value: Value | ExpressionError = variables[path[0] as string] as Value;
    for (const key of path.slice(1)) value = memberOf(value, key);
    return value;
  });
  return compileTree(tree, slots.length)(values, NOON);
}

function memberOf(value: Value | ExpressionError, key: string | number): Value | ExpressionError {
  let member: Value | undefined;
  if (value instanceof ListValue && typeof key === "number") member = value.get(key);
  else if (value instanceof MapValue) member = value.get(typeof key === "number" ? BigInt(key) : key);
  return member === undefined ? new ExpressionError(`no member ${key}`) : member;
}
