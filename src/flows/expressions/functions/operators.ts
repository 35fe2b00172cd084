/** Operators. The evaluator implements `&&`, `||`, `?:`, loops, and member access. */
import { areEqual, compareBytes, compareNumbers, compareText } from "../values/compare.ts";
import { concatLists } from "../values/lists.ts";
import { chargeText } from "../values/meter.ts";
import { makeDuration, makeTimestamp } from "../values/time.ts";
import {
  failExpression,
  isInt,
  isUint,
  type Kind,
  type KindTypes,
  type ListValue,
  Uint,
  type Value,
} from "../values/values.ts";
import { constant, costing, defineOperator, type FunctionDefinition, type Overload } from "./function.ts";

function toInt(value: bigint): bigint {
  return isInt(value)
    ? value
    : failExpression(`overflow: ${shorten(value)} does not fit into the 64 bits of an int; use double(…)`);
}

function toUint(value: bigint): Uint {
  return isUint(value)
    ? new Uint(value)
    : failExpression(`overflow: ${shorten(value)} does not fit into the 64 bits of a uint`);
}

function shorten(value: bigint): string {
  const text = String(value);
  return text.length > 25 ? `${text.slice(0, 22)}…` : text;
}

type Ints = (a: bigint, b: bigint) => bigint;
type Doubles = (a: number, b: number) => number;

/** Integers with integers of the same type, doubles, and ints with doubles. */
function arithmetic(ints: Ints, doubles: Doubles): Overload[] {
  return [
    constant(["int", "int"], "int", (a, b) => toInt(ints(a, b))),
    constant(["double", "double"], "double", doubles),
    constant(["int", "double"], "double", (a, b) => doubles(Number(a), b)),
    constant(["double", "int"], "double", (a, b) => doubles(a, Number(b))),
    constant(["uint", "uint"], "uint", (a, b) => toUint(ints(a.value, b.value))),
  ];
}

function checkDivisor(ints: Ints, sign: string): Ints {
  return (a, b) =>
    b === 0n ? failExpression(`divide by zero: ${shorten(a)} ${sign} 0; a double divides by 0.0`) : ints(a, b);
}

const NUMBERS: readonly Kind[] = ["int", "double", "uint"];

/** All pairs of numbers, and values of one ordered type. */
function comparison(test: (order: number) => boolean): Overload[] {
  const numbers = NUMBERS.flatMap((left) =>
    NUMBERS.map((right) => constant([left, right], "bool", (a, b) => test(compareNumbers(a as bigint, b as bigint)))),
  );
  return [
    ...numbers,
    constant(["string", "string"], "bool", (a, b) => test(compareText(a, b))),
    constant(["bool", "bool"], "bool", (a, b) => test(Number(a) - Number(b))),
    constant(["bytes", "bytes"], "bool", (a, b) => test(compareBytes(a, b))),
    constant(["timestamp", "timestamp"], "bool", (a, b) => test(compareNumbers(a.nanos, b.nanos))),
    constant(["duration", "duration"], "bool", (a, b) => test(compareNumbers(a.nanos, b.nanos))),
  ];
}

function isIn(value: Value, list: ListValue): boolean {
  for (let index = 0; index < list.size; index++) if (areEqual(list.get(index) as Value, value)) return true;
  return false;
}

function concatBytes(a: Uint8Array, b: Uint8Array): KindTypes["bytes"] {
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}

/** All operators that are functions of their operands. */
export const OPERATORS: readonly FunctionDefinition[] = [
  defineOperator(
    "_+_",
    "Sum of numbers, durations, or a timestamp and a duration; joins strings, bytes and lists.",
    ...arithmetic(
      (a, b) => a + b,
      (a, b) => a + b,
    ),
    costing(
      ["string", "string"],
      "string",
      (a, b) => chargeText(a.length + b.length),
      (a, b) => a + b,
    ),
    constant(["list", "list"], "list", concatLists),
    costing(["bytes", "bytes"], "bytes", (a, b) => chargeText(a.length + b.length), concatBytes),
    constant(["timestamp", "duration"], "timestamp", (a, b) => makeTimestamp(a.nanos + b.nanos)),
    constant(["duration", "timestamp"], "timestamp", (a, b) => makeTimestamp(a.nanos + b.nanos)),
    constant(["duration", "duration"], "duration", (a, b) => makeDuration(a.nanos + b.nanos)),
  ),
  defineOperator(
    "_-_",
    "Difference of numbers, durations, timestamps, or a timestamp and a duration.",
    ...arithmetic(
      (a, b) => a - b,
      (a, b) => a - b,
    ),
    constant(["timestamp", "timestamp"], "duration", (a, b) => makeDuration(a.nanos - b.nanos)),
    constant(["timestamp", "duration"], "timestamp", (a, b) => makeTimestamp(a.nanos - b.nanos)),
    constant(["duration", "duration"], "duration", (a, b) => makeDuration(a.nanos - b.nanos)),
  ),
  defineOperator(
    "_*_",
    "Product of numbers.",
    ...arithmetic(
      (a, b) => a * b,
      (a, b) => a * b,
    ),
  ),
  defineOperator(
    "_/_",
    "Quotient. Between integers it is cut off toward zero.",
    ...arithmetic(
      checkDivisor((a, b) => a / b, "/"),
      (a, b) => a / b,
    ),
  ),
  defineOperator(
    "_%_",
    "Remainder of integers, with the sign of the first.",
    constant(["int", "int"], "int", (a, b) => {
      toInt(checkDivisor((x, y) => x / y, "%")(a, b));
      return a % b;
    }),
    constant(["uint", "uint"], "uint", (a, b) => toUint(checkDivisor((x, y) => x % y, "%")(a.value, b.value))),
  ),
  defineOperator(
    "-_",
    "Negative of an int, a double or a duration.",
    constant(["int"], "int", (a) => toInt(-a)),
    constant(["double"], "double", (a) => -a),
    constant(["duration"], "duration", (a) => makeDuration(-a.nanos)),
  ),
  defineOperator(
    "!_",
    "Not.",
    constant(["bool"], "bool", (a) => !a),
  ),
  defineOperator(
    "_==_",
    "Equal, for values of any types; numbers by value.",
    constant(["any", "any"], "bool", areEqual),
  ),
  defineOperator(
    "_!=_",
    "Not equal.",
    constant(["any", "any"], "bool", (a, b) => !areEqual(a, b)),
  ),
  defineOperator("_<_", "Less: numbers by value, strings by code point.", ...comparison((order) => order < 0)),
  defineOperator("_<=_", "Less or equal.", ...comparison((order) => order <= 0)),
  defineOperator("_>_", "Greater.", ...comparison((order) => order > 0)),
  defineOperator("_>=_", "Greater or equal.", ...comparison((order) => order >= 0)),
  defineOperator(
    "@in",
    "Whether a list has an element, or a map a key.",
    constant(["any", "list"], "bool", isIn),
    constant(["any", "map"], "bool", (key, map) => map.get(key) !== undefined),
  ),
];
