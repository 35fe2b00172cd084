/** The table of everything that an expression can call. Nothing else is reachable. */
import { CONVERSIONS } from "./conversions.ts";
import type { FunctionDefinition } from "./function.ts";
import { LIST_FUNCTIONS } from "./list-functions.ts";
import { MATH_FUNCTIONS } from "./math.ts";
import { OPERATORS } from "./operators.ts";
import { TEXT_FUNCTIONS } from "./text.ts";
import { TIME_FUNCTIONS } from "./time-functions.ts";

/** All functions, methods and operators. */
export const FUNCTIONS: readonly FunctionDefinition[] = [
  ...OPERATORS,
  ...CONVERSIONS,
  ...TEXT_FUNCTIONS,
  ...LIST_FUNCTIONS,
  ...MATH_FUNCTIONS,
  ...TIME_FUNCTIONS,
];

const plain = new Map<string, FunctionDefinition>();
const methods = new Map<string, FunctionDefinition>();
for (const definition of FUNCTIONS) (definition.form === "method" ? methods : plain).set(definition.name, definition);

/** The operator or function of a name; undefined when there is none. */
export function findFunction(name: string): FunctionDefinition | undefined {
  return plain.get(name);
}

/** The method of a name; undefined when there is none. */
export function findMethod(name: string): FunctionDefinition | undefined {
  return methods.get(name);
}

/** `now()`: the time comes from the scope, so that it is no function of its arguments. */
export const NOW = "now";

/** Names that expressions may call, `has` and the macros that loop included. */
export const functionNames: ReadonlySet<string> = new Set([
  ...FUNCTIONS.filter(({ form }) => form !== "operator").map(({ name }) => name),
  ...[NOW, "has", "all", "exists", "exists_one", "map", "filter", "reduce"],
]);
