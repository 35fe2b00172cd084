/** Finds the overload for a call by the types of its arguments, charges its steps, and calls it. */
import type { Evaluate } from "./frame.ts";
import type { FunctionDefinition, Overload } from "./functions/function.ts";
import { findFunction, findMethod } from "./functions/functions.ts";
import { charge } from "./values/meter.ts";
import { failExpression, type Kind, kindOf, type Value } from "./values/values.ts";

/** Compiles a call of a function or operator. */
export function callFunction(name: string, args: readonly Evaluate[], at: number): Evaluate {
  return call(findFunction(name), name, args, at);
}

/** Compiles a method call; the target is the first argument. */
export function callMethod(name: string, args: readonly Evaluate[], at: number): Evaluate {
  return call(findMethod(name), name, args, at);
}

function call(
  definition: FunctionDefinition | undefined,
  name: string,
  args: readonly Evaluate[],
  at: number,
): Evaluate {
  if (definition === undefined) return () => failExpression(`there is no function "${name}"`);
  const [first, second] = args;
  if (args.length === 1 && first !== undefined) return callOne(definition, first, at);
  if (args.length === 2 && first !== undefined && second !== undefined) return callTwo(definition, first, second, at);
  return callMany(definition, args, at);
}

type ByKind<T> = Partial<Record<Kind, T>>;

const KINDS: readonly Kind[] = "null bool string int double uint bytes timestamp duration type list map".split(
  " ",
) as Kind[];

function expand(kind: Kind): readonly Kind[] {
  return kind === "any" ? KINDS : [kind];
}

function takes({ params, variadic }: Overload, count: number): boolean {
  return variadic ? count >= params.length : count === params.length;
}

function callOne(definition: FunctionDefinition, arg: Evaluate, at: number): Evaluate {
  const table: ByKind<Overload> = {};
  for (const overload of definition.overloads) {
    if (takes(overload, 1)) for (const kind of expand(overload.params[0] as Kind)) table[kind] = overload;
  }
  return (frame) => {
    const value = arg(frame);
    frame.at = at;
    charge(1);
    const overload = table[kindOf(value)];
    if (overload === undefined) return failOverload(definition, [value]);
    overload.cost?.(value);
    return overload.run(value);
  };
}

function callTwo(definition: FunctionDefinition, left: Evaluate, right: Evaluate, at: number): Evaluate {
  const table = tableOfTwo(definition);
  return (frame) => {
    const a = left(frame);
    const b = right(frame);
    frame.at = at;
    charge(1);
    const overload = table[kindOf(a)]?.[kindOf(b)];
    if (overload === undefined) return failOverload(definition, [a, b]);
    overload.cost?.(a, b);
    return overload.run(a, b);
  };
}

const tables = new WeakMap<FunctionDefinition, ByKind<ByKind<Overload>>>();

function tableOfTwo(definition: FunctionDefinition): ByKind<ByKind<Overload>> {
  const known = tables.get(definition);
  if (known !== undefined) return known;
  const table: ByKind<ByKind<Overload>> = {};
  for (const overload of definition.overloads) {
    if (!takes(overload, 2)) continue;
    for (const first of expand(overload.params[0] as Kind)) {
      table[first] ??= {};
      const row = table[first] as ByKind<Overload>;
      for (const second of expand(overload.params[overload.variadic ? 0 : 1] as Kind)) row[second] = overload;
    }
  }
  tables.set(definition, table);
  return table;
}

function callMany(definition: FunctionDefinition, args: readonly Evaluate[], at: number): Evaluate {
  const overloads = definition.overloads.filter((overload) => takes(overload, args.length));
  return (frame) => {
    const values = args.map((arg) => arg(frame));
    frame.at = at;
    charge(1 + values.length);
    const overload = overloads.find(({ params }) =>
      values.every((value, index) => {
        const kind = params[Math.min(index, params.length - 1)];
        return kind === "any" || kind === kindOf(value);
      }),
    );
    if (overload === undefined) return failOverload(definition, values);
    overload.cost?.(...values);
    return overload.run(...values);
  };
}

/** Maximum number of overloads that a message lists. */
const SHOWN = 4;

function failOverload(definition: FunctionDefinition, args: readonly Value[]): never {
  const kinds = args.map(kindOf);
  const takesKinds = definition.overloads.slice(0, SHOWN).map((overload) => showCall(definition, overload.params));
  const more = definition.overloads.length > SHOWN ? ", …" : "";
  const cure = kinds.includes("null")
    ? "; a null has to be asked for first: x == null ? … : …"
    : definition.form === "operator" && kinds.includes("string")
      ? "; convert one side: string(…), int(…) or double(…)"
      : "";
  failExpression(
    `no matching overload for ${showCall(definition, kinds)}; there is ${takesKinds.join(", ")}${more}${cure}`,
  );
}

/** A call with types instead of values: `string + int`, `string.charAt(int)`, `size(list)`. */
export function showCall({ name, form }: FunctionDefinition, kinds: readonly string[]): string {
  if (form === "function") return `${name}(${kinds.join(", ")})`;
  if (form === "method") return `${kinds[0]}.${name}(${kinds.slice(1).join(", ")})`;
  const sign = showOperator(name);
  return kinds.length === 1 ? `${sign}${kinds[0]}` : `${kinds[0]} ${sign} ${kinds[1]}`;
}

/** An operator as it is written in the source. */
export function showOperator(name: string): string {
  return name === "@in" ? "in" : name.replaceAll("_", "");
}
