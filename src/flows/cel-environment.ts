/**
 * The functions of expressions: CEL's standard library and its string extensions, arithmetic between int and double, and a meter on everything.
 *
 * The library finds an overload by trying one after the other, which costs microseconds for lists. So each frequent operator gets one function in front that
 * knows the common types; what it does not know goes on to the library's overloads.
 */
import {
  type CelFunc,
  type CelList,
  type CelMap,
  type CelResult,
  CelScalar,
  type CelValue,
  celEnv,
  celError,
  celFunc,
  isCelList,
  isCelMap,
} from "@bufbuild/cel";
import { strings } from "@bufbuild/cel/ext";
import { charge } from "./cel-meter.ts";
import { concatLists, getMember } from "./cel-values.ts";

/** Put by the compiler around the condition of every loop: `@step(weight, condition)`. No source text can name it. */
export const STEP_FUNCTION = "@step";
/** Put by the compiler in place of `x.a["b"]` on names bound by loops: `@get(x, "a", "b")`. */
export const GET_FUNCTION = "@get";

/** Functions of the string extension that are left out: `format` prints integers as NaN in this version of the library. */
const LEFT_OUT = new Set(["format"]);

const base = celEnv({ funcs: strings.filter((func) => !LEFT_OUT.has(func.name)) });

const MAX_INT = 9_223_372_036_854_775_807n;

type Run = (args: readonly CelValue[], id: number) => CelResult | undefined;

const front: readonly CelFunc[] = [
  frontFunc("_+_", ([left, right], id) => {
    if (typeof left === "bigint") {
      if (typeof right === "bigint") return checkInt(left + right, id);
      return typeof right === "number" ? Number(left) + right : undefined;
    }
    if (typeof left === "number") {
      if (typeof right === "number") return left + right;
      return typeof right === "bigint" ? left + Number(right) : undefined;
    }
    if (typeof left === "string" && typeof right === "string") {
      charge((left.length + right.length) >>> 4);
      return left + right;
    }
    if (isCelList(left) && isCelList(right)) {
      charge(right.size);
      return concatLists(left, right);
    }
    return undefined;
  }),
  arithmetic(
    "_-_",
    (left, right) => left - right,
    (left, right) => left - right,
  ),
  arithmetic(
    "_*_",
    (left, right) => left * right,
    (left, right) => left * right,
  ),
  arithmetic("_/_", undefined, (left, right) => left / right),
  arithmetic("_%_", undefined, undefined),
  comparison("_<_", (left, right) => left < right),
  comparison("_<=_", (left, right) => left <= right),
  comparison("_>_", (left, right) => left > right),
  comparison("_>=_", (left, right) => left >= right),
  frontFunc("_==_", ([left, right]) => areEqual(left as CelValue, right as CelValue)),
  frontFunc("_!=_", ([left, right]) => !areEqual(left as CelValue, right as CelValue)),
  frontFunc("@in", ([value, range]) => {
    if (!isCelList(range)) return undefined;
    for (const element of range) if (areEqual(element, value as CelValue)) return true;
    return false;
  }),
  frontFunc(STEP_FUNCTION, ([weight, condition]) => {
    charge(Number(weight));
    return condition;
  }),
  frontFunc(GET_FUNCTION, (args, id) => {
    let value = args[0] as CelValue;
    for (let at = 1; at < args.length; at++) {
      const member = getMember(value, args[at] as string | bigint);
      if (member === undefined)
        return celError(
          `there is no ${typeof args[at] === "string" ? JSON.stringify(args[at]) : `element ${args[at]}`}`,
          id,
        );
      value = member;
    }
    return value;
  }),
];

const linearCost = (target: CelValue | undefined, args: readonly CelValue[]): number =>
  args.reduce<number>((sum, arg) => sum + sizeOf(arg), 1 + sizeOf(target));

/** Functions whose cost, or whose result, is not about as large as their arguments. */
const COSTS: Readonly<Record<string, (target: CelValue | undefined, args: readonly CelValue[]) => number>> = {
  replace: (target, args) =>
    linearCost(target, args) + Math.floor((lengthOf(target) * Math.max(1, lengthOf(args[1]))) / 16),
  // A pattern is compiled on every call (about 20 µs) and runs in linear time after that.
  matches: (target, args) => 100 + lengthOf(target) + 10 * (lengthOf(args[0]) + lengthOf(args[1])),
  join: (target, args) => linearCost(target, args) + textIn(target) + sizeOf(target) * (lengthOf(args[0]) >>> 4),
};

/** The environment that expressions are planned in. */
export const environment = celEnv({ funcs: [...front, ...[...base.funcs].map(withSteps)] });

/** Names of all functions and methods that expressions may call. */
export const functionNames: ReadonlySet<string> = new Set(
  [...base.funcs].map((func) => func.name).filter((name) => /^[a-z]/i.test(name)),
);

/** CEL equality. Takes steps for every element that it looks at. */
function areEqual(left: CelValue, right: CelValue): boolean {
  charge(1);
  if (left === right) return true;
  const type = typeof left;
  if (type === "string" || type === "boolean") return false;
  if ((type === "bigint" || type === "number") && (typeof right === "bigint" || typeof right === "number")) {
    // biome-ignore lint/suspicious/noDoubleEquals: int and double are equal when they have the same value
    return left == right;
  }
  if (isCelList(left)) return isCelList(right) && areListsEqual(left, right);
  if (isCelMap(left)) return isCelMap(right) && areMapsEqual(left, right);
  return base.funcs.find("_==_")?.call(0, undefined, [left, right]) === true;
}

function areListsEqual(left: CelList, right: CelList): boolean {
  if (left.size !== right.size) return false;
  for (let index = 0; index < left.size; index++) {
    if (!areEqual(left.get(index) as CelValue, right.get(index) as CelValue)) return false;
  }
  return true;
}

function areMapsEqual(left: CelMap, right: CelMap): boolean {
  if (left.size !== right.size) return false;
  for (const [key, value] of left.entries()) {
    const other = right.get(key);
    if (other === undefined || !areEqual(value as CelValue, other as CelValue)) return false;
  }
  return true;
}

function arithmetic(
  name: string,
  ints: ((left: bigint, right: bigint) => bigint) | undefined,
  doubles: ((left: number, right: number) => number) | undefined,
): CelFunc {
  return frontFunc(name, ([left, right], id) => {
    if (typeof left === "bigint" && typeof right === "bigint")
      return ints === undefined ? undefined : checkInt(ints(left, right), id);
    const areNumbers =
      (typeof left === "bigint" || typeof left === "number") &&
      (typeof right === "bigint" || typeof right === "number");
    return areNumbers && doubles !== undefined ? doubles(Number(left), Number(right)) : undefined;
  });
}

function comparison(
  name: string,
  compare: <T extends bigint | number | string>(left: T, right: T) => boolean,
): CelFunc {
  return frontFunc(name, ([left, right]) => {
    if (typeof left === "bigint" && typeof right === "bigint") return compare(left, right);
    if (typeof left === "string" && typeof right === "string") return compare(left, right);
    const areNumbers =
      (typeof left === "bigint" || typeof left === "number") &&
      (typeof right === "bigint" || typeof right === "number");
    return areNumbers ? compare(Number(left), Number(right)) : undefined;
  });
}

function checkInt(value: bigint, id: number): CelResult {
  return value <= MAX_INT && value >= -MAX_INT - 1n ? value : celError("integer overflow", id);
}

/** A function that stands before the library's overloads of the same name; undefined passes the call on to them. */
function frontFunc(name: string, run: Run): CelFunc {
  const func = celFunc(name, [CelScalar.DYN, CelScalar.DYN, CelScalar.DYN], CelScalar.DYN, () => null);
  return Object.create(func, {
    call: {
      value: (id: number, target: CelValue | undefined, args: CelValue[]) => {
        if (target !== undefined) return undefined;
        charge(1);
        return run(args, id);
      },
    },
  });
}

/** A function of the library that takes steps by the size of what it is given; before the call where the result can be much larger. */
function withSteps(func: CelFunc): CelFunc {
  const costBefore = COSTS[func.name];
  return Object.create(func, {
    call: {
      value(id: number, target: CelValue | undefined, args: CelValue[]) {
        if (args.length !== func.arguments.length) return undefined;
        if (costBefore !== undefined) charge(costBefore(target, args));
        const result = func.call(id, target, args);
        if (costBefore === undefined && result !== undefined) charge(linearCost(target, args));
        return result;
      },
    },
  });
}

function sizeOf(value: CelValue | undefined): number {
  if (typeof value === "string") return value.length >>> 4;
  if (typeof value !== "object" || value === null) return 0;
  if (isCelList(value) || isCelMap(value)) return value.size;
  return value instanceof Uint8Array ? value.length >>> 4 : 0;
}

function lengthOf(value: CelValue | undefined): number {
  return typeof value === "string" ? value.length : 0;
}

function textIn(value: CelValue | undefined): number {
  if (!isCelList(value)) return 0;
  let total = 0;
  for (const element of value) total += lengthOf(element) >>> 4;
  return total;
}
