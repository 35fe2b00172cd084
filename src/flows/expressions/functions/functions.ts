/** The table of everything that an expression can call. Nothing else is reachable. */
import { CONVERSIONS } from "./conversions.ts";
import type { FunctionDefinition } from "./function.ts";
import { LIST_FUNCTIONS } from "./list-functions.ts";
import { MATH_FUNCTIONS } from "./math.ts";
import { OPERATORS } from "./operators.ts";
import { TEXT_FUNCTIONS } from "./text.ts";
import { TIME_FUNCTIONS } from "./time-functions.ts";

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

/** Finds the operator or function with a name; undefined if there is none. */
export function findFunction(name: string): FunctionDefinition | undefined {
  return plain.get(name);
}

/** Finds the method with a name; undefined if there is none. */
export function findMethod(name: string): FunctionDefinition | undefined {
  return methods.get(name);
}

/** `now()`: the time comes from the scope, so it is not a function of its arguments. */
export const NOW = "now";

/** Names that expressions may call, including `has` and the loop macros. */
export const functionNames: ReadonlySet<string> = new Set([
  ...FUNCTIONS.filter(({ form }) => form !== "operator").map(({ name }) => name),
  ...[NOW, "has", "all", "exists", "exists_one", "map", "filter", "reduce"],
]);
