/** JSON as the service takes it: what it would refuse is found here, before an answer leaves. */

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json | undefined };
export type JsonObject = { readonly [key: string]: Json | undefined };

/** How deep a message may nest; its root is the first level. */
export const MAX_DEPTH = 64;
/** How deep a value may nest that is a field of an output: the message and the output are around it. */
const MAX_FIELD_DEPTH = MAX_DEPTH - 2;

/** What the service would refuse in a value, or null. */
export function findFault(value: unknown, levels = MAX_DEPTH): string | null {
  if (typeof value === "string") {
    if (value.includes("\0")) return "text with NUL";
    return value.isWellFormed() ? null : "text with half of a surrogate pair";
  }
  if (typeof value === "number") return Number.isFinite(value) ? null : `the number ${value}`;
  if (typeof value !== "object" || value === null) return null;
  if (levels === 0) return "too many levels of lists and objects";
  if (Array.isArray(value)) return findFirst(value, (each) => findFault(each, levels - 1));
  return findFirst(Object.entries(value), ([key, part]) => findFault(key) ?? findFault(part, levels - 1));
}

/**
 * Parses a text that becomes a field of an output. Integers that a double cannot hold become text with their digits, as
 * in answers of HTTP tasks. Throws SyntaxError for text that is no JSON, and RangeError for what the service refuses.
 */
export function parseField(text: string): Json {
  const { depth, keys } = scan(text);
  if (depth > MAX_FIELD_DEPTH) throw new RangeError(`it nests ${depth} levels deep; the limit is ${MAX_FIELD_DEPTH}`);
  const value = JSON.parse(text, keepDigits) as Json;
  const fault = findFault(value);
  if (fault !== null) throw new RangeError(`it has ${fault}`);
  if (countKeys(value) !== keys) throw new RangeError("a key appears twice in one object");
  return value;
}

function keepDigits(_: string, value: unknown, context?: { readonly source?: string }): unknown {
  const source = context?.source;
  if (typeof value !== "number" || source === undefined || Number.isSafeInteger(value)) return value;
  return /^-?\d+$/.test(source) && String(value) !== source ? source : value;
}

/** The depth of a text, and how many keys are written in it. */
function scan(text: string): { readonly depth: number; readonly keys: number } {
  let [open, depth, keys] = [0, 0, 0];
  let isText = false;
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    if (character === '"') isText = !isText;
    else if (isText) at += character === "\\" ? 1 : 0;
    else if (character === "[" || character === "{") depth = Math.max(depth, ++open);
    else if (character === "]" || character === "}") open--;
    else if (character === ":") keys++;
  }
  return { depth, keys };
}

function countKeys(value: Json | undefined): number {
  if (typeof value !== "object" || value === null) return 0;
  const parts = Object.values(value);
  return parts.reduce<number>((sum, part) => sum + countKeys(part), Array.isArray(value) ? 0 : parts.length);
}

function findFirst<Value>(values: readonly Value[], find: (value: Value) => string | null): string | null {
  for (const value of values) {
    const found = find(value);
    if (found !== null) return found;
  }
  return null;
}
