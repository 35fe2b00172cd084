/** Compiles a syntax tree to a function. Names are already resolved, except loop variables and type names. */
import { callFunction, callMethod } from "./call.ts";
import { attempt, type Evaluate, type Frame, locate, notBool, type Variables } from "./frame.ts";
import { NOW } from "./functions/functions.ts";
import type { CallExpr, Expr, MapExpr, SelectExpr } from "./language/syntax.ts";
import { compileLoop } from "./loops.ts";
import { BuiltList, BuiltMap, showKey } from "./values/lists.ts";
import { charge } from "./values/meter.ts";
import {
  ExpressionError,
  failExpression,
  kindOf,
  ListValue,
  MapValue,
  type Timestamp,
  TYPE_VALUES,
  Uint,
  type Value,
} from "./values/values.ts";

/**
 * A compiled tree. Takes its slots (an error for what does not exist) and the time of `now()`. Throws ExpressionError
 * and StepsUsedUp.
 */
export type Program = (slots: (Value | ExpressionError)[], now: Timestamp | null) => Value;

/** Compiles a tree that reads `slotCount` slots. The program takes ownership of the slot array. */
export function compileTree(expr: Expr, slotCount: number): Program {
  const evaluate = compile(expr, { places: new Map(), next: slotCount });
  return (values, now) => {
    const frame: Frame = { values, now, at: -1 };
    try {
      return evaluate(frame);
    } catch (cause) {
      throw locate(cause, frame);
    }
  };
}

function compile(expr: Expr, variables: Variables): Evaluate {
  switch (expr.kind) {
    case "constant": {
      const { value } = expr;
      return () => value;
    }
    case "slot":
      return readPlace(expr.index);
    case "name": {
      const place = expr.absolute ? undefined : variables.places.get(expr.name);
      if (place !== undefined) return readPlace(place);
      const type = TYPE_VALUES.get(expr.name);
      return type === undefined ? () => failExpression(`unknown name "${expr.name}"`) : () => type;
    }
    case "select":
      return compileSelect(expr, variables);
    case "call":
      return compileCall(expr, variables);
    case "list": {
      const elements = expr.elements.map((element) => compile(element, variables));
      return (frame) => {
        charge(elements.length);
        return new BuiltList(elements.map((element) => element(frame)));
      };
    }
    case "map":
      return compileMap(expr, variables);
    case "loop":
      return compileLoop(expr, variables, compile);
  }
}

function readPlace(place: number): Evaluate {
  return ({ values }) => {
    const value = values[place] as Value | ExpressionError;
    if (value instanceof ExpressionError) throw value;
    return value;
  };
}

function compileSelect({ operand, field, test, at }: SelectExpr, variables: Variables): Evaluate {
  const evaluate = compile(operand, variables);
  return (frame) => {
    const value = evaluate(frame);
    charge(1);
    frame.at = at;
    if (!(value instanceof MapValue)) {
      const what = value === null ? "null" : `a value of type ${kindOf(value)}`;
      failExpression(`${what} has no members; "${field}" is read from it`);
    }
    if (test) return value.has(field);
    const member = value.get(field);
    return (
      member ?? (member === null ? null : failExpression(`there is no ${showKey(field)} in the map; ask has(…) first`))
    );
  };
}

function compileMap({ entries }: MapExpr, variables: Variables): Evaluate {
  const compiled = entries.map(([key, value]) => [compile(key, variables), compile(value, variables)] as const);
  return (frame) => {
    charge(2 * compiled.length);
    const map = new BuiltMap();
    for (const [key, value] of compiled) map.add(key(frame), value(frame));
    return map;
  };
}

function compileCall(expr: CallExpr, variables: Variables): Evaluate {
  const { name, target, args, at } = expr;
  if (target !== null) {
    return callMethod(
      name,
      [target, ...args].map((arg) => compile(arg, variables)),
      at,
    );
  }
  const compiled = args.map((arg) => compile(arg, variables));
  switch (name) {
    case "_&&_":
      return logic(compiled, false, at);
    case "_||_":
      return logic(compiled, true, at);
    case "_?_:_":
      return conditional(compiled as [Evaluate, Evaluate, Evaluate], at);
    case "_[_]":
      return index(compiled as [Evaluate, Evaluate], at);
    case NOW:
      return ({ now }) => now ?? failExpression("now() has no time here; it exists in the expressions of a run");
    default:
      return callFunction(name, compiled, at);
  }
}

/** `&&` and `||`: the result is `decisive` if any operand has that value, even if the others are errors. */
function logic(terms: readonly Evaluate[], decisive: boolean, at: number): Evaluate {
  return (frame) => {
    charge(1);
    let error: ExpressionError | null = null;
    for (const term of terms) {
      const value = attempt(term, frame);
      if (value === decisive) return decisive;
      if (value === !decisive) continue;
      error ??= value instanceof ExpressionError ? value : notBool(decisive ? "||" : "&&", value, at);
    }
    if (error !== null) throw error;
    return !decisive;
  };
}

function conditional([condition, yes, no]: readonly [Evaluate, Evaluate, Evaluate], at: number): Evaluate {
  return (frame) => {
    charge(1);
    const value = condition(frame);
    if (value === true) return yes(frame);
    if (value === false) return no(frame);
    throw notBool("? :", value, at);
  };
}

function index([target, key]: readonly [Evaluate, Evaluate], at: number): Evaluate {
  return (frame) => {
    const value = target(frame);
    const at0 = key(frame);
    charge(1);
    frame.at = at;
    if (value instanceof ListValue) return elementOf(value, at0);
    if (!(value instanceof MapValue))
      return failExpression(`a value of type ${kindOf(value)} has no elements; only lists and maps have`);
    const member = value.get(at0);
    if (member !== undefined) return member;
    return isKey(at0)
      ? failExpression(`there is no ${showKey(at0)} in the map; ask key in map first`)
      : failExpression(`a key of a map is a string, a number or a bool, not a value of type ${kindOf(at0)}`);
  };
}

function isKey(value: Value): boolean {
  return ["string", "int", "uint", "double", "bool"].includes(kindOf(value));
}

function elementOf(list: ListValue, key: Value): Value {
  const position = key instanceof Uint ? key.value : key;
  if (typeof position !== "bigint" && !(typeof position === "number" && Number.isInteger(position)))
    failExpression(
      `an element of a list is found by an int, not by ${typeof key === "number" ? key : `a value of type ${kindOf(key)}`}`,
    );
  const element = list.get(Number(position));
  if (element !== undefined) return element;
  const has = list.size === 0 ? "it is empty" : `it has the elements 0 to ${list.size - 1}`;
  return failExpression(`there is no element ${position} in the list; ${has}`);
}
