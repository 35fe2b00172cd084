/** Describes schema violations in our own words. */
import type { z } from "zod";
import type { Json } from "../../base/json/json.ts";
import { suggest } from "./suggest.ts";

export interface DescribedIssue {
  readonly path: readonly (string | number)[];
  /** The sentence; created on demand, since only the first few of possibly thousands are shown. */
  readonly describe: () => string;
}

/** Describes a schema issue in `root`. Returns several entries if one issue names several keys. */
export function describeIssue(issue: z.core.$ZodIssue, root: Json): readonly DescribedIssue[] {
  const path = issue.path.filter((part) => typeof part !== "symbol");
  if (issue.code === "unrecognized_keys") {
    const known = issue.message.startsWith("known: ") ? issue.message.slice(7).split(", ") : [];
    return issue.keys.map((key) => ({ path: [...path, key], describe: () => unknownKey(key, known) }));
  }
  return [{ path, describe: () => describeValueIssue(issue, valueAt(root, path)) }];
}

function describeValueIssue(issue: z.core.$ZodIssue, value: Json | undefined): string {
  if (issue.code === "invalid_key") return describeKeyIssue(issue);
  const wanted = describeWanted(issue, value);
  if (wanted === undefined && value === undefined)
    return issue.message.startsWith("expected ") ? `is missing; ${issue.message}` : "is missing";
  if (wanted === undefined) return issue.message;
  if (value === undefined) return `is missing; expected ${wanted}`;
  const isBound = issue.code === "too_small" || issue.code === "too_big";
  if (isBound) return `expected ${wanted}`;
  const suggestion =
    issue.code === "invalid_value" && typeof value === "string" ? suggest(value, issue.values.map(String)) : "";
  return `expected ${wanted}, got ${describeValue(value)}${suggestion}`;
}

/** A key that its schema refuses: what is said is about the key, not about its value. */
function describeKeyIssue(issue: z.core.$ZodIssueInvalidElement | z.core.$ZodIssueInvalidKey): string {
  const [first] = issue.issues;
  const key = issue.path.at(-1);
  return first === undefined ? issue.message : describeValueIssue(first, typeof key === "number" ? key : String(key));
}

/** What was expected; undefined if the issue's message already says it. */
function describeWanted(issue: z.core.$ZodIssue, value: Json | undefined): string | undefined {
  switch (issue.code) {
    case "invalid_type":
      return article(issue.expected);
    case "invalid_value":
      return listWords(issue.values);
    case "too_small":
      return bound("at least", issue.minimum, issue.origin);
    case "too_big":
      return bound("at most", issue.maximum, issue.origin);
    case "invalid_union":
      return issue.message === "Invalid input" && value !== undefined ? describeUnion(issue) : undefined;
    case "invalid_format":
      // Every pattern has its own sentence; a house test holds it.
      return issue.message.startsWith("Invalid") ? issue.format : undefined;
    default:
      return undefined;
  }
}

/** `unknown key "tmeout"; did you mean "timeout"?` */
function unknownKey(key: string, known: readonly string[]): string {
  return `unknown key "${key}"${suggest(key, known) || (known.length > 0 ? `; known: ${known.join(", ")}` : "")}`;
}

/** A value in a message: its type, and the value itself if it is short. */
export function describeValue(value: Json | undefined): string {
  if (value === undefined) return "nothing";
  if (value === null) return "null";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object") return "an object";
  const text = JSON.stringify(value);
  return `the ${typeof value} ${text.length > 60 ? `${text.slice(0, 57)}…` : text}`;
}

function describeUnion(issue: z.core.$ZodIssueInvalidUnion): string | undefined {
  const wanted = new Set<string>();
  for (const branch of issue.errors)
    for (const inner of branch)
      if (inner.code === "invalid_type" && inner.path.length === 0) wanted.add(article(inner.expected));
  return wanted.size === 0 ? undefined : [...wanted].join(" or ");
}

function article(expected: string): string {
  const words: Record<string, string> = {
    array: "a list",
    record: "an object",
    object: "an object",
    int: "an integer",
    string: "text",
    number: "a number",
    boolean: "true or false",
    null: "null",
  };
  return words[expected] ?? expected;
}

function listWords(values: readonly unknown[]): string {
  return values.length === 1 ? JSON.stringify(values[0]) : `one of ${values.map((value) => String(value)).join(", ")}`;
}

function bound(word: string, limit: number | bigint, origin: string): string {
  if (origin === "string") return `${word} ${limit} characters`;
  if (origin === "array") return `${word} ${limit} elements`;
  return `${word} ${limit}`;
}

function valueAt(root: Json, path: readonly (string | number)[]): Json | undefined {
  let value: Json | undefined = root;
  for (const part of path) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, part)) return undefined;
    value = (value as Record<string | number, Json>)[part];
  }
  return value;
}
