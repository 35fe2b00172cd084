/** Keys of limits, which a flow may write as `${…}`. */
import type { Json } from "../base/json/json.ts";
import { PLAIN_TEXT, PLAIN_TEXT_PROBLEM } from "../tasks/schema/schemas.ts";
import type { Scope, Template } from "./plan.ts";

/** Most characters of a key. */
const MAX_LIMIT_KEY = 256;

/** Evaluates a key to text. Throws what the expression throws, and for what can be no key. */
export function evaluateLimitKey(key: Template, scope: Scope): string {
  const value: Json = key.evaluate(scope);
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  if (typeof value !== "string")
    throw new Error(`the key must be text, a number, or a boolean, it is ${JSON.stringify(value)?.slice(0, 80)}`);
  const problem = keyProblem(value);
  if (problem !== undefined) throw new Error(problem);
  return value;
}

/** What keeps text from being a key. */
export function keyProblem(text: string): string | undefined {
  if (text.length > MAX_LIMIT_KEY) return `the key has more than ${MAX_LIMIT_KEY} characters`;
  return PLAIN_TEXT.test(text) ? undefined : PLAIN_TEXT_PROBLEM;
}
