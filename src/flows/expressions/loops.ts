/** The loop macros. Each iteration costs one step, plus the steps of its operations. */
import { attempt, type Compile, type Evaluate, type Frame, notBool, type Variables } from "./frame.ts";
import type { LoopExpr } from "./language/syntax.ts";
import { BuiltList, BuiltMap } from "./values/lists.ts";
import { charge } from "./values/meter.ts";
import { ExpressionError, failExpression, kindOf, ListValue, MapValue, type Value } from "./values/values.ts";

/** Compiles a loop inside loops with the given variables. */
export function compileLoop(loop: LoopExpr, variables: Variables, compile: Compile): Evaluate {
  const range = compile(loop.range, variables);
  const place = variables.next;
  const names: [string, number][] = [[loop.variable, place]];
  if (loop.accumulator !== null) names.push([loop.accumulator.name, place + 1]);
  const inner: Variables = { places: new Map([...variables.places, ...names]), next: place + names.length };
  const step = compile(loop.step, inner);
  const condition = loop.condition === null ? null : compile(loop.condition, inner);
  const start = loop.accumulator === null ? null : compile(loop.accumulator.start, variables);
  const run = runnerOf(loop, step, condition, start, place);
  return (frame) => {
    const value = range(frame);
    frame.at = loop.at;
    return run(frame, elementsOf(value, loop.macro));
  };
}

type Run = (frame: Frame, elements: ListValue) => Value;

function runnerOf(
  { macro, at }: LoopExpr,
  step: Evaluate,
  condition: Evaluate | null,
  start: Evaluate | null,
  place: number,
): Run {
  switch (macro) {
    case "all":
      return search(step, place, false, at);
    case "exists":
      return search(step, place, true, at);
    case "exists_one":
      return countOne(step, place, at);
    case "map":
    case "filter":
      return collect(step, condition, place, at);
    case "reduce":
      return reduce(step, start as Evaluate, place);
  }
}

/** Elements of a list, or keys of a map. */
function elementsOf(value: Value, macro: string): ListValue {
  if (value instanceof ListValue) return value;
  if (!(value instanceof MapValue))
    return failExpression(
      `${macro} goes over a list or the keys of a map, not over ${value === null ? "null" : `a value of type ${kindOf(value)}`}`,
    );
  charge(value instanceof BuiltMap ? value.size : 2 * value.size);
  return new BuiltList([...value.keys()]);
}

/** `all` and `exists`: the first element with the decisive result ends the loop. Errors count only if there is none. */
function search(test: Evaluate, place: number, decisive: boolean, at: number): Run {
  return (frame, elements) => {
    let error: ExpressionError | null = null;
    for (let index = 0; index < elements.size; index++) {
      charge(1);
      frame.values[place] = elements.get(index) as Value;
      const value = attempt(test, frame);
      if (value === decisive) return decisive;
      if (value === !decisive) continue;
      error ??= value instanceof ExpressionError ? value : notBool(decisive ? "exists" : "all", value, at);
    }
    if (error !== null) throw error;
    return !decisive;
  };
}

function countOne(test: Evaluate, place: number, at: number): Run {
  return (frame, elements) => {
    let count = 0;
    for (let index = 0; index < elements.size; index++) {
      charge(1);
      frame.values[place] = elements.get(index) as Value;
      const value = test(frame);
      if (typeof value !== "boolean") throw notBool("exists_one", value, at);
      if (value) count++;
    }
    return count === 1;
  };
}

function collect(step: Evaluate, condition: Evaluate | null, place: number, at: number): Run {
  return (frame, elements) => {
    const result: Value[] = [];
    for (let index = 0; index < elements.size; index++) {
      charge(1);
      frame.values[place] = elements.get(index) as Value;
      if (condition !== null) {
        const chosen = condition(frame);
        if (typeof chosen !== "boolean") throw notBool("the condition of the loop", chosen, at);
        if (!chosen) continue;
      }
      result.push(step(frame));
    }
    return new BuiltList(result);
  };
}

function reduce(step: Evaluate, start: Evaluate, place: number): Run {
  return (frame, elements) => {
    let value = start(frame);
    for (let index = 0; index < elements.size; index++) {
      charge(1);
      frame.values[place] = elements.get(index) as Value;
      frame.values[place + 1] = value;
      value = step(frame);
    }
    return value;
  };
}
