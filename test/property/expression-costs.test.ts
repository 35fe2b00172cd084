/**
 * Steps are in proportion to work. Every overload of every function is called with growing arguments, also those that
 * are hard for searches: the time for one step must not grow with them, and the result must not be larger than what was
 * charged. Cause: `replace` was quadratic and charged as linear, so that one expression stopped the process for
 * minutes.
 */
import { describe, expect, it } from "vitest";
import type { Json } from "../../src/base/json/json.ts";
import { showCall } from "../../src/flows/expressions/call.ts";
import { costing, type Overload } from "../../src/flows/expressions/functions/function.ts";
import { FUNCTIONS } from "../../src/flows/expressions/functions/functions.ts";
import { toValue } from "../../src/flows/expressions/values/json.ts";
import { BuiltList } from "../../src/flows/expressions/values/lists.ts";
import { chargeText, StepsUsedUp, spentSteps, withMeter } from "../../src/flows/expressions/values/meter.ts";
import {
  Duration,
  ExpressionError,
  type Kind,
  ListValue,
  Timestamp,
  TYPE_VALUES,
  Uint,
  type Value,
} from "../../src/flows/expressions/values/values.ts";
import { compileTemplate } from "../../src/flows/interpolation/template.ts";
import { scopeWith } from "../unit/flows/scope.ts";

/** Arguments of a type, of a size. Text for searches: what almost occurs everywhere. */
const SAMPLES: Readonly<Record<Exclude<Kind, "any">, readonly ((size: number) => Value)[]>> = {
  null: [() => null],
  bool: [() => true],
  int: [() => 7n, (size) => BigInt(size)],
  uint: [() => new Uint(7n)],
  double: [() => 7.5],
  string: [
    () => "",
    () => "a",
    (size) => "a".repeat(size),
    (size) => `${"a".repeat(size / 2)}b`,
    (size) => `b${"a".repeat(size / 2)}`,
    (size) => "aB".repeat(size / 2),
    (size) => "😀é".repeat(size / 4),
    (size) => " ".repeat(size),
    (size) => "9".repeat(size),
    (size) => "(a?){50}".repeat(Math.min(size / 512, 100)),
  ],
  bytes: [(size) => new Uint8Array(size).fill(97)],
  timestamp: [() => new Timestamp(1_767_268_800_000_000_000n)],
  duration: [() => new Duration(5_000_000_000n)],
  type: [() => TYPE_VALUES.get("int") as Value],
  list: [
    (size) => new BuiltList(Array.from({ length: size }, (_, index) => BigInt((index * 7919) % size))),
    (size) => toValue(Array.from({ length: size }, (_, index) => `text ${index}`) as Json),
    (size) => toValue(Array.from({ length: Math.sqrt(size) }, () => "a".repeat(Math.sqrt(size))) as Json),
    (size) => toValue(Array.from({ length: size / 4 }, (_, index) => [index, [index, 1.5]]) as Json),
    (size) => toValue(Array.from({ length: size }, (_, index) => index + 0.5) as Json),
  ],
  map: [
    (size) => toValue(Object.fromEntries(Array.from({ length: size }, (_, index) => [`k${index}`, index])) as Json),
  ],
};
const ANY: readonly Exclude<Kind, "any">[] = ["null", "int", "string", "list", "map"];

const SIZES = [1 << 10, 1 << 12, 1 << 14, 1 << 15];
/** Steps that any call may take without charging them: errors are made, JavaScript compiles. */
const FREE_STEPS = 100;
/** How much the time for a step may grow; a quadratic function reaches 32. */
const MOST_GROWTH = 12;
/** How long a step may take beside one of the reference below. */
const MOST_REFERENCES = 20;

/** Milliseconds of a step of an evaluation that is known to be cheap, measured here and now. */
const REFERENCE = measureReference();

function measureReference(): number {
  const sum = FUNCTIONS.find(({ name }) => name === "sum")?.overloads[0] as Overload;
  const list = new BuiltList(Array.from({ length: 100_000 }, (_, index) => index + 0.5));
  return Math.min(...Array.from({ length: 10 }, () => call(sum, [list]).ms)) / 100_000;
}

/** CPU time of this process, milliseconds: what others take of the machine does not count. */
function cpuTime(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}

type Sampler = (size: number) => Value;

function samplesOf(kind: Kind): readonly Sampler[] {
  return kind === "any" ? ANY.flatMap((one) => SAMPLES[one].slice(0, 3)) : SAMPLES[kind];
}

/** All combinations of samples for the parameters of an overload, at most so many. */
function combinations({ params }: Overload): Sampler[][] {
  let all: Sampler[][] = [[]];
  for (const kind of params) all = all.flatMap((before) => samplesOf(kind).map((sample) => [...before, sample]));
  const most = 120;
  if (all.length <= most) return all;
  return Array.from({ length: most }, (_, index) => all[Math.floor((index * all.length) / most)] as Sampler[]);
}

interface Call {
  readonly ms: number;
  readonly steps: number;
  readonly result: Value | undefined;
}

function call(overload: Overload, args: readonly Value[]): Call {
  const before = spentSteps();
  const start = cpuTime();
  let result: Value | undefined;
  withMeter(() => {
    try {
      overload.cost?.(...args);
      result = overload.run(...args);
    } catch (cause) {
      if (!(cause instanceof ExpressionError || cause instanceof StepsUsedUp)) throw cause;
    }
  });
  return { ms: cpuTime() - start, steps: 1 + spentSteps() - before, result };
}

const made = new Map<Sampler, Map<number, Value>>();

function make(sample: Sampler, size: number): Value {
  const bySize = made.get(sample) ?? new Map<number, Value>();
  made.set(sample, bySize);
  const value = bySize.get(size) ?? sample(size);
  bySize.set(size, value);
  return value;
}

/** How long a step takes beside one of the reference, and what is wrong with the size of the result. */
function measure(
  overload: Overload,
  samplers: readonly Sampler[],
  size: number,
): { perStep: number; problem?: string } {
  const args = samplers.map((sample) => make(sample, size));
  const { ms, steps, result } = call(overload, args);
  const isShared = args.some((arg) => sizeOf(arg) >= sizeOf(result) / 2);
  if (!isShared && sizeOf(result) > 64 + 16 * steps)
    return { perStep: 0, problem: `${steps} steps for a result of ${sizeOf(result)}` };
  return { perStep: ms / (steps + FREE_STEPS) / REFERENCE };
}

/** What is wrong with the cost of an overload for some arguments; undefined when nothing is. */
function judge(overload: Overload, samplers: readonly Sampler[]): string | undefined {
  const most = measure(overload, samplers, SIZES.at(-1) as number);
  if (most.problem !== undefined || most.perStep <= MOST_REFERENCES) return most.problem;
  let cheapest = Number.POSITIVE_INFINITY;
  for (const size of SIZES) {
    const { perStep } = measure(overload, samplers, size);
    if (perStep > MOST_REFERENCES && perStep > cheapest * MOST_GROWTH)
      return `size ${size}: ${(perStep / cheapest).toFixed(0)} times as much a step as before`;
    cheapest = Math.min(cheapest, Math.max(1, perStep));
  }
  return undefined;
}

/** Characters or elements. */
function sizeOf(value: Value | undefined): number {
  if (typeof value === "string") return value.length;
  if (value instanceof Uint8Array) return value.length;
  return value instanceof ListValue ? 16 * value.size : 0;
}

describe.each(FUNCTIONS.map((definition) => [`${definition.form} ${definition.name}`, definition] as const))(
  "%s",
  (_name, definition) => {
    it("takes steps in proportion to its work", () => {
      for (const overload of definition.overloads) {
        for (const samplers of combinations(overload)) {
          // What looks wrong once may be the machine; what is wrong is wrong three times.
          let problem = judge(overload, samplers);
          for (let round = 0; round < 2 && problem !== undefined; round++) problem = judge(overload, samplers);
          expect(problem, `${showCall(definition, overload.params)} of ${samplers.join(", ")}`).toBeUndefined();
        }
      }
    });
  },
);

describe("the judge of costs", () => {
  it("finds a quadratic function that is charged as linear", () => {
    const naive = costing(
      ["string", "string"],
      "int",
      (text, part) => chargeText(text.length + part.length),
      (text, part) => {
        for (let at = 0; at + part.length <= text.length; at++) {
          let same = 0;
          while (same < part.length && text.charCodeAt(at + same) === part.charCodeAt(same)) same++;
          if (same === part.length) return BigInt(at);
        }
        return -1n;
      },
    );
    expect(judge(naive, [(size) => "a".repeat(size), (size) => `${"a".repeat(size / 2)}b`])).toMatch(/as much a step/);
  });

  it("finds a result that is larger than what was charged", () => {
    const padding = costing(
      ["string"],
      "string",
      (text) => chargeText(text.length),
      (text) => text.repeat(100),
    );
    expect(judge(padding, [(size) => "a".repeat(size)])).toMatch(/steps for a result/);
  });
});

describe("an expression that stopped the process", () => {
  const names = { variables: new Set(["x"]), tasks: new Set<string>() };
  const run = (source: string, x: Json): Json =>
    compileTemplate(`\${${source}}`, names).template.evaluate(scopeWith({ x }));

  it.each([
    ["replace over a megabyte", "size(x.replace('a', 'b'))", "a".repeat(1_000_000)],
    ["eight replaces in a row", `size(x${".replace('a', 'aaaaaaaaaa')".repeat(8)})`, "a".repeat(16)],
    ["a large pattern", "x.matches('(a?){60}(a?){60}$')", "a".repeat(100_000)],
    ["text by characters", "x.split('').join('-')", "a".repeat(1_000_000)],
    ["sorting text", "[x + 'a', x + 'b', x + 'c', x + 'd', x + 'e', x + 'f'].sort()", "a".repeat(1_000_000)],
    ["equality of long text in a loop", "lists.range(1000).filter(i, x + 'a' == x + 'b')", "a".repeat(100_000)],
    ["a list that grows in front", "lists.range(10000).reduce(all, i, [], [i] + all)", ""],
    ["text that grows in front", "size(lists.range(10000).reduce(all, i, x, 'ab' + all))", "a".repeat(10_000)],
    ["zones in a loop", "lists.range(10000).map(i, timestamp(i).getHours('Asia/Tokyo'))", ""],
  ])("ends with EXPRESSION_TOO_COSTLY: %s", (_what, source, x) => {
    expect(() => run(source, x)).toThrow(/needs more than/);
  });

  it("is answered when its work is linear, whatever is searched for", () => {
    expect(run("x.contains(x.substring(0, 400000) + 'b')", "a".repeat(800_000))).toBe(false);
    expect(run("x.lastIndexOf(x.substring(0, 400000))", "a".repeat(800_000))).toBe(400_000);
  });

  it("is refused when its pattern is too large", () => {
    expect(() => run("x.matches('(a?){900}(a?){900}$')", "a")).toThrow(/repeats too much/);
    expect(() => run("x.matches(x)", "a".repeat(10_000))).toThrow(/the limit is 1000/);
  });

  it("takes the same steps every time, and compiles the pattern of a loop once", () => {
    const steps = () => {
      const before = spentSteps();
      expect(run("lists.range(2000).all(i, string(i).matches('^[0-9]+$'))", null)).toBe(true);
      return spentSteps() - before;
    };
    expect(steps()).toBe(steps());
  });
});
