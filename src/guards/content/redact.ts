/** Redacts texts and JSON values: the same findings give the same text. */
import type { Json } from "../../base/json/json.ts";
import { CONTENT_RULES, type Finding } from "./rules.ts";

/** The text with the label of its rule in the place of each finding. Findings are in order and do not overlap. */
export function redact(text: string, findings: readonly Finding[]): string {
  let redacted = "";
  let end = 0;
  for (const one of findings) {
    redacted += text.slice(end, one.start) + CONTENT_RULES[one.rule].label;
    end = one.end;
  }
  return redacted + text.slice(end);
}

/** A text inside a JSON value, or a number as a text. */
export interface TextAt {
  /** As an expression writes it: `notes[2]`; of a key: the object that has it. */
  readonly path: string;
  readonly text: string;
  /** The key that it stands under; empty: none, or it is one. */
  readonly under: string;
}

/** Every text and number of a value, keys included, depth first, in the order of the value. */
export function* textsOf(value: Json, path = "", under = ""): Generator<TextAt> {
  if (typeof value === "string" || typeof value === "number") {
    yield { path, text: String(value), under };
  } else if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) yield* textsOf(item, `${path}[${index}]`, under);
  } else if (typeof value === "object" && value !== null) {
    for (const [key, item] of Object.entries(value)) {
      yield { path, text: key, under: "" };
      yield* textsOf(item as Json, path === "" ? key : `${path}.${key}`, key);
    }
  }
}

/**
 * The value with every text replaced, keys excepted: two keys must not become one. A number stays one unless it is
 * replaced.
 */
export function mapTexts(value: Json, replace: (text: string, path: string) => string, path = ""): Json {
  if (typeof value === "string") return replace(value, path);
  if (typeof value === "number") {
    const text = String(value);
    const replaced = replace(text, path);
    return replaced === text ? value : replaced;
  }
  if (Array.isArray(value)) return value.map((item: Json, index) => mapTexts(item, replace, `${path}[${index}]`));
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).map(([key, item]): [string, Json] => [
    key,
    mapTexts(item, replace, path === "" ? key : `${path}.${key}`),
  ]);
  return Object.fromEntries(entries);
}
