/** Functions of numbers: `math.*`. */
import { compareValues, isNumber } from "../values/compare.ts";
import { charge } from "../values/meter.ts";
import { failExpression, isInt, ListValue, Uint, type Value } from "../values/values.ts";
import { constant, defineFunction, type FunctionDefinition, type Overload, variadic } from "./function.ts";

/** Rounding of doubles; integers are returned unchanged. */
function rounding(name: string, doc: string, round: (value: number) => number): FunctionDefinition {
  return defineFunction(
    `math.${name}`,
    doc,
    constant(["double"], "double", round),
    constant(["int"], "int", (value) => value),
    constant(["uint"], "uint", (value) => value),
  );
}

/** Rounds halves away from zero. */
function roundHalves(value: number): number {
  const whole = Math.trunc(value);
  return Math.abs(value - whole) >= 0.5 ? whole + Math.sign(value) : whole;
}

function extreme(name: string, sign: number): (values: Iterable<Value>) => Value {
  return (values) => {
    let best: Value | undefined;
    for (const value of values) {
      charge(1);
      if (!isNumber(value)) return failExpression(`math.${name} needs numbers, or one list of numbers`);
      if (best === undefined) compareValues(value, value);
      if (best === undefined || compareValues(value, best) * sign > 0) best = value;
    }
    return best ?? failExpression(`math.${name} of nothing; ask size(list) > 0 first`);
  };
}

function extremes(name: string, sign: number): Overload {
  const find = extreme(name, sign);
  return variadic("any", "any", (values) => {
    const [only] = values;
    return find(values.length === 1 && only instanceof ListValue ? only : values);
  });
}

function absolute(value: bigint): bigint {
  const result = value < 0n ? -value : value;
  return isInt(result) ? result : failExpression(`math.abs(${value}) leaves the 64 bits of an int; use double(…)`);
}

type Bits = (a: bigint, b: bigint) => bigint;

function bits(name: string, doc: string, run: Bits): FunctionDefinition {
  return defineFunction(
    `math.${name}`,
    doc,
    constant(["int", "int"], "int", run),
    constant(["uint", "uint"], "uint", (a, b) => new Uint(run(a.value, b.value))),
  );
}

function shift(name: string, doc: string, run: Bits): FunctionDefinition {
  const checked: Bits = (value, by) => {
    if (by < 0n) failExpression(`math.${name}: the number of bits is negative: ${by}`);
    return by > 63n ? 0n : run(value, by);
  };
  return defineFunction(
    `math.${name}`,
    doc,
    constant(["int", "int"], "int", (value, by) => BigInt.asIntN(64, checked(BigInt.asUintN(64, value), by))),
    constant(["uint", "int"], "uint", (value, by) => new Uint(BigInt.asUintN(64, checked(value.value, by)))),
  );
}

function sign(value: number): number {
  return Number.isNaN(value) ? value : Math.sign(value);
}

/** `math.*`. */
export const MATH_FUNCTIONS: readonly FunctionDefinition[] = [
  defineFunction(
    "math.abs",
    "The number without its sign.",
    constant(["int"], "int", absolute),
    constant(["double"], "double", Math.abs),
    constant(["uint"], "uint", (value) => value),
  ),
  bits("bitAnd", "Bits that are set in both.", (a, b) => a & b),
  defineFunction(
    "math.bitNot",
    "The bits the other way round.",
    constant(["int"], "int", (a) => ~a),
    constant(["uint"], "uint", (a) => new Uint(BigInt.asUintN(64, ~a.value))),
  ),
  bits("bitOr", "Bits that are set in one or both.", (a, b) => a | b),
  shift("bitShiftLeft", "The bits moved up.", (value, by) => value << by),
  shift("bitShiftRight", "The bits moved down; zeros come in from above.", (value, by) => value >> by),
  bits("bitXor", "Bits that are set in one but not in both.", (a, b) => a ^ b),
  rounding("ceil", "The next whole number above.", Math.ceil),
  rounding("floor", "The next whole number below.", Math.floor),
  defineFunction("math.greatest", "The largest of its arguments, or of one list.", extremes("greatest", 1)),
  defineFunction("math.isFinite", "Neither infinite nor NaN.", constant(["double"], "bool", Number.isFinite)),
  defineFunction(
    "math.isInf",
    "Whether a double is infinite.",
    constant(["double"], "bool", (value) => Math.abs(value) === Number.POSITIVE_INFINITY),
  ),
  defineFunction("math.isNaN", "Whether a double is not a number.", constant(["double"], "bool", Number.isNaN)),
  defineFunction("math.least", "The smallest of its arguments, or of one list.", extremes("least", -1)),
  rounding("round", "The nearest whole number; halves go away from zero.", roundHalves),
  defineFunction(
    "math.sign",
    "-1, 0 or 1.",
    constant(["int"], "int", (value) => (value > 0n ? 1n : value < 0n ? -1n : 0n)),
    constant(["double"], "double", sign),
    constant(["uint"], "uint", ({ value }) => new Uint(value > 0n ? 1n : 0n)),
  ),
  defineFunction(
    "math.sqrt",
    "The square root, a double.",
    constant(["double"], "double", Math.sqrt),
    constant(["int"], "double", (value) => Math.sqrt(Number(value))),
    constant(["uint"], "double", ({ value }) => Math.sqrt(Number(value))),
  ),
  rounding("trunc", "The number without what is behind its point.", Math.trunc),
];
