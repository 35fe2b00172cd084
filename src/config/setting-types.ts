/**
 * Kinds of settings. Each takes what a file can say (numbers, lists, true) and what the environment and flags can say
 * (text), and says in its error what it expected.
 */
import { z } from "zod";
import { isOrchestratorError } from "../base/errors.ts";
import { findUrlProblem } from "../base/net/redis-url.ts";
import { parseDurationMs, unitsProblem } from "../base/time/duration.ts";
import { parseDatabaseUrl } from "../store/sql/database-url.ts";

/** What a setting takes, in words for the reference page; kept as metadata of its schema. */
export type SettingKind = "text" | "URL" | "number" | "true or false" | "duration" | "size" | "list" | "choice" | "map";

/** One setting: how it is read, named and explained. */
export interface Setting<S extends z.ZodType = z.ZodType> {
  readonly schema: S;
  /** As a person would write it; parsed like every other value. Without one the setting is absent until it is given. */
  readonly default?: z.input<S>;
  /** Environment variables; the first one that is set counts. The flag is made of the first name. */
  readonly env: readonly [string, ...string[]];
  /** One or two sentences for the reference page. */
  readonly text: string;
  /** Never printed. */
  readonly secret?: true;
}

/** Declares a setting. */
export function setting<const S extends Setting>(declaration: S): S {
  return declaration;
}

/** Plain text of at least one character. */
export function textSetting(expected = "text") {
  return z
    .string({ error: `expected ${expected}` })
    .trim()
    .min(1, { error: `expected ${expected}` })
    .meta(kind("text"));
}

/** A URL with one of the schemes. */
export function urlSetting(...schemes: readonly string[]) {
  const expected = `expected a URL that begins with ${schemes.map((scheme) => `${scheme}://`).join(" or ")}`;
  return z
    .string({ error: expected })
    .trim()
    .refine((text) => URL.canParse(text) && schemes.some((scheme) => text.startsWith(`${scheme}://`)), {
      error: expected,
    })
    .meta(kind("URL"));
}

/** Where Redis is, in every form that the client takes. */
export function redisUrlSetting() {
  return z
    .string({ error: "expected a URL" })
    .trim()
    .superRefine((text, context) => {
      const message = findUrlProblem(text);
      if (message !== "") context.addIssue({ code: "custom", message });
    })
    .meta(kind("URL"));
}

/** A PostgreSQL URL in every form that the store takes; becomes the form of the driver. */
export function databaseUrlSetting() {
  const error = "expected a URL: postgresql://user:password@host:5432/database";
  return z
    .string({ error })
    .transform((value, context) => {
      try {
        return parseDatabaseUrl(value);
      } catch (cause) {
        context.addIssue({
          code: "custom",
          message: isOrchestratorError(cause) ? String(cause.details.problem) : error,
        });
        return z.NEVER;
      }
    })
    .meta(kind("URL"));
}

/** A whole number between two limits. */
export function integerSetting(minimum: number, maximum: number, unit = "") {
  const error = `expected a whole number${unit === "" ? "" : ` of ${unit}`}, ${minimum} to ${maximum}`;
  return z
    .union([z.int().min(minimum).max(maximum), z.string()], { error })
    .transform((value, context) => {
      const number = typeof value === "string" && /^-?\d+$/.test(value.trim()) ? Number(value) : value;
      if (typeof number === "number" && number >= minimum && number <= maximum) return number;
      context.addIssue({ code: "custom", message: error });
      return z.NEVER;
    })
    .meta(kind("number"));
}

/** A number, fractions allowed. */
export function numberSetting(minimum: number, maximum: number) {
  const error = `expected a number, ${minimum} to ${maximum}`;
  return z
    .union([z.number().min(minimum).max(maximum), z.string()], { error })
    .transform((value, context) => {
      const number = typeof value === "string" && value.trim() !== "" ? Number(value) : value;
      if (typeof number === "number" && number >= minimum && number <= maximum) return number;
      context.addIssue({ code: "custom", message: error });
      return z.NEVER;
    })
    .meta(kind("number"));
}

/** A TCP port. */
export function portSetting() {
  return integerSetting(0, 65_535);
}

/** True or false. */
export function booleanSetting() {
  const error = "expected true or false";
  const words = { truthy: ["true", "1", "yes", "on"], falsy: ["false", "0", "no", "off"], error };
  return z.union([z.boolean(), z.stringbool(words)], { error }).meta(kind("true or false"));
}

/** A length of time, seconds or with units; becomes milliseconds. */
export function durationSetting(minimumMs = 0) {
  const error = `expected a duration: seconds (30) or units (500ms, 30s, 5m, 24h)${minimumMs > 0 ? `, at least ${minimumMs}ms` : ""}`;
  return z
    .union([z.number(), z.string()], { error })
    .transform((value, context) => {
      try {
        const ms = parseDurationMs(value);
        if (ms >= minimumMs) return ms;
      } catch {
        // The error of the setting says it in the words of the configuration.
      }
      context.addIssue({ code: "custom", message: unitsProblem(value) ?? error });
      return z.NEVER;
    })
    .meta(kind("duration"));
}

const UNITS: Readonly<Record<string, number>> = {
  "": 1,
  B: 1,
  KB: 1_024,
  KIB: 1_024,
  MB: 1_024 ** 2,
  MIB: 1_024 ** 2,
  GB: 1_024 ** 3,
  GIB: 1_024 ** 3,
};

/** A size; becomes bytes. Units are powers of 1,024. */
export function sizeSetting(minimumBytes: number, maximumBytes: number) {
  const error = `expected a size: bytes (65536) or units (256KB, 4MB), ${minimumBytes} to ${maximumBytes} bytes`;
  return z
    .union([z.number(), z.string()], { error })
    .transform((value, context) => {
      const [, amount, unit = ""] = /^(\d+(?:\.\d+)?)\s*([A-Za-z]*)$/.exec(String(value).trim()) ?? [];
      const bytes = Math.round(Number(amount) * (UNITS[unit.toUpperCase()] ?? Number.NaN));
      if (bytes >= minimumBytes && bytes <= maximumBytes) return bytes;
      context.addIssue({ code: "custom", message: error });
      return z.NEVER;
    })
    .meta(kind("size"));
}

/** Several texts: a list, JSON of a list, or text with commas. A shell takes the quotes out of JSON: `[a, b]`. */
export function listSetting() {
  const error = 'expected a list: a, b or ["a", "b"]';
  return z
    .union([z.array(z.string()), z.string()], { error })
    .transform((value, context): readonly string[] => {
      if (typeof value !== "string") return value;
      // Unclosed, or an address: [::1]:9092.
      const [, inner = value.trim()] = /^\s*\[(.*)\]\s*$/s.exec(value) ?? [];
      if (inner === value.trim() && !/^\[[^\]]*$/.test(inner)) return splitAtCommas(inner);
      try {
        return z.array(z.string()).parse(JSON.parse(value));
      } catch {
        if (!/["[\]]/.test(inner)) return splitAtCommas(inner);
        context.addIssue({ code: "custom", message: error });
        return z.NEVER;
      }
    })
    .meta(kind("list"));
}

/** Pairs of names and values: a map, or text in which values are percent-encoded, `name=value,name=value`. */
export function pairsSetting() {
  const error = "expected name=value pairs with commas between them";
  return z
    .union([z.record(z.string(), z.string()), z.string()], { error })
    .transform((value, context): Readonly<Record<string, string>> => {
      if (typeof value !== "string") return value;
      try {
        return Object.fromEntries(splitAtCommas(value).map(toPair));
      } catch {
        context.addIssue({ code: "custom", message: error });
        return z.NEVER;
      }
    })
    .meta(kind("map"));
}

/** Throws for text without a name, or with broken encoding. */
function toPair(text: string): readonly [string, string] {
  const mark = text.indexOf("=");
  if (mark < 1) throw new Error("a pair has a name");
  return [text.slice(0, mark).trim(), decodeURIComponent(text.slice(mark + 1).trim())];
}

/** A list of ports. */
export function portListSetting() {
  const error = "expected a list of ports from 1 to 65535: 8000, 8080";
  const ports = z.array(z.coerce.number().int().min(1).max(65_535));
  return z
    .union([z.array(z.union([z.number(), z.string()])).readonly(), z.number(), z.string()], { error })
    .transform((value, context): readonly number[] => {
      const parts =
        typeof value === "string" ? splitAtCommas(value.replace(/^\s*\[(.*)\]\s*$/s, "$1")) : [value].flat();
      const read = ports.safeParse(parts);
      if (read.success) return read.data;
      context.addIssue({ code: "custom", message: error });
      return z.NEVER;
    })
    .meta(kind("list"));
}

function splitAtCommas(text: string): readonly string[] {
  return text
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "");
}

/** One of some words, in any case; `synonyms` are accepted and replaced. */
export function choiceSetting<const T extends string>(words: readonly T[], synonyms: Readonly<Record<string, T>> = {}) {
  const error = `expected one of ${words.join(", ")}`;
  return z
    .string({ error })
    .transform((value, context): T => {
      const word = value.trim().toLowerCase();
      const found = words.find((candidate) => candidate === word) ?? synonyms[word];
      if (found !== undefined) return found;
      context.addIssue({ code: "custom", message: error });
      return z.NEVER;
    })
    .meta(kind("choice"));
}

/** Values that a setting accepts. */
export function kindOf(schema: z.ZodType): SettingKind {
  return schema.meta()?.kind as SettingKind;
}

function kind(name: SettingKind): { kind: SettingKind } {
  return { kind: name };
}
