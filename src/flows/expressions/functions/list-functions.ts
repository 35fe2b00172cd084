/** Functions of lists and maps. */
import { toPoints } from "../values/code-points.ts";
import { areEqual, compareValues, isNumber } from "../values/compare.ts";
import { BuiltList, BuiltMap } from "../values/lists.ts";
import { charge } from "../values/meter.ts";
import { failExpression, isInt, isUint, ListValue, type MapValue, Uint, type Value } from "../values/values.ts";
import { constant, costing, defineFunction, defineMethod, type FunctionDefinition } from "./function.ts";

const ofList = (list: ListValue): void => charge(list.size);

/** Maximum length of the result of `lists.range`: what `map` accepts. */
const MAX_RANGE = 10_000n;

function sum(list: ListValue): bigint | number | Uint {
  let total: bigint | number | Uint = 0n;
  let isFirst = true;
  for (const element of list) {
    if (!isNumber(element)) failExpression("sum needs a list of numbers; pick them first: list.map(x, x.price).sum()");
    total = isFirst ? element : addNumbers(total, element);
    isFirst = false;
  }
  return total;
}

function addNumbers(a: bigint | number | Uint, b: bigint | number | Uint): bigint | number | Uint {
  if (typeof a === "bigint" && typeof b === "bigint") {
    return isInt(a + b) ? a + b : failExpression("the sum leaves the 64 bits of an int; use double(…)");
  }
  if (a instanceof Uint && b instanceof Uint) {
    const total = a.value + b.value;
    return isUint(total) ? new Uint(total) : failExpression("the sum leaves the 64 bits of a uint; use double(…)");
  }
  if (a instanceof Uint || b instanceof Uint)
    return failExpression("sum does not mix uint and other numbers; convert them");
  return Number(a) + Number(b);
}

function extreme(name: string, sign: number): (list: ListValue) => Value {
  return (list) => {
    let best: Value | undefined;
    for (const element of list) {
      if (best === undefined) compareValues(element, element);
      if (best === undefined || compareValues(element, best) * sign > 0) best = element;
    }
    return best ?? failExpression(`${name} of an empty list; ask size(list) > 0 first`);
  };
}

function sort(list: ListValue): ListValue {
  const elements = [...list];
  if (elements.length === 1) compareValues(elements[0] as Value, elements[0] as Value);
  return new BuiltList(
    elements.sort((a, b) => {
      charge(1);
      return compareValues(a, b);
    }),
  );
}

function flatten(list: ListValue, depth: bigint): ListValue {
  if (depth < 0n) failExpression("flatten: the depth cannot be negative");
  const elements: Value[] = [];
  const visit = (inner: ListValue, left: bigint): void => {
    charge(inner.size);
    for (const element of inner) {
      if (element instanceof ListValue && left > 0n) visit(element, left - 1n);
      else elements.push(element);
    }
  };
  visit(list, depth);
  return new BuiltList(elements);
}

function range(count: bigint): ListValue {
  if (count > MAX_RANGE) failExpression(`lists.range: ${count} elements are too many; the limit is ${MAX_RANGE}`);
  charge(count > 0n ? Number(count) : 0);
  return new BuiltList(Array.from({ length: Math.max(0, Number(count)) }, (_, index) => BigInt(index)));
}

function distinct(list: ListValue): ListValue {
  const seen = new BuiltMap();
  const others: Value[] = [];
  const unique: Value[] = [];
  for (const element of list) {
    if (typeof element === "string" || typeof element === "bigint" || typeof element === "boolean") {
      if (typeof element === "string") charge(element.length >>> 4);
      if (seen.get(element) !== undefined) continue;
      seen.add(element, true);
    } else if (isNumber(element) && seen.get(element) !== undefined) continue;
    else {
      if (others.some((other) => areEqual(other, element))) continue;
      others.push(element);
    }
    unique.push(element);
  }
  return new BuiltList(unique);
}

function slice(list: ListValue, start: bigint, end: bigint): ListValue {
  if (start < 0n || end < start || end > list.size)
    failExpression(`slice(${start}, ${end}): the list has ${list.size} elements, and the start is not behind the end`);
  charge(Number(end - start));
  const elements: Value[] = [];
  for (let index = Number(start); index < end; index++) elements.push(list.get(index) as Value);
  return new BuiltList(elements);
}

function countKeys(map: MapValue): bigint {
  return BigInt(map.size);
}

const ofMap = (map: MapValue): void => charge(map instanceof BuiltMap ? 0 : map.size);

/** Functions and methods of lists. */
export const LIST_FUNCTIONS: readonly FunctionDefinition[] = [
  defineMethod(
    "distinct",
    "The list without elements that equal an earlier one.",
    costing(["list"], "list", ofList, distinct),
  ),
  defineMethod(
    "flatten",
    "The list with the lists in it replaced by their elements, one level deep or as deep as a number says.",
    constant(["list"], "list", (list) => flatten(list, 1n)),
    constant(["list", "int"], "list", flatten),
  ),
  defineFunction("lists.range", "The ints from 0 up to a number, which is left out.", constant(["int"], "list", range)),
  defineMethod("max", "The largest element of a list.", costing(["list"], "any", ofList, extreme("max", 1))),
  defineMethod("min", "The smallest element of a list.", costing(["list"], "any", ofList, extreme("min", -1))),
  defineFunction("range", "The same as lists.range.", constant(["int"], "list", range)),
  defineMethod(
    "reverse",
    "The characters of a string, or the elements of a list, from last to first.",
    costing(
      ["string"],
      "string",
      (text) => charge(text.length),
      (text) => toPoints(text).reverse().join(""),
    ),
    costing(["list"], "list", ofList, (list) => new BuiltList([...list].reverse())),
  ),
  defineMethod(
    "slice",
    "The elements from one position up to another.",
    constant(["list", "int", "int"], "list", slice),
  ),
  defineMethod(
    "sort",
    "The elements in order: numbers, or values of one type.",
    costing(["list"], "list", ofList, sort),
  ),
  defineMethod("sum", "The sum of the numbers of a list; 0 when it is empty.", costing(["list"], "any", ofList, sum)),
];

/** `size`, which is both a function and a method. */
export const SIZE_OVERLOADS = {
  list: constant(["list"], "int", (list) => BigInt(list.size)),
  map: costing(["map"], "int", ofMap, countKeys),
} as const;
