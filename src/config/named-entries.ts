/** Settings that are a map of entries by name, and what such entries consist of. */
import { z } from "zod";
import { headerProblem } from "../base/net/header-rules.ts";
import { secretNameOf } from "../base/secrets/secret-reference.ts";
import { parseDurationMs } from "../base/time/duration.ts";

/** What is said of the entries. */
export interface NamedEntries<Entry> {
  /** What one is called in errors: `endpoint`. */
  readonly noun: string;
  readonly name: RegExp;
  /** What {@link name} asks for, for errors: `a lower-case letter, then letters`. */
  readonly nameRule: string;
  readonly entry: z.ZodType<Entry>;
  /** For errors: `billing: {url: "https://…"}`. */
  readonly example: string;
}

/** Entries by name: a map, or its JSON. The first problem is reported with its place. */
export function namedEntriesSetting<Entry>({ noun, name: pattern, nameRule, entry, example }: NamedEntries<Entry>) {
  const error = `expected ${noun}s by name: ${example}`;
  return z
    .union([z.record(z.string(), z.unknown()), z.string()], { error })
    .transform((value, context): Readonly<Record<string, Entry>> => {
      const problem = (message: string): never => {
        context.addIssue({ code: "custom", message });
        return z.NEVER;
      };
      const given = typeof value === "string" ? parseMap(value) : value;
      if (given === null) return problem(error);
      const entries: Record<string, Entry> = {};
      for (const [name, one] of Object.entries(given)) {
        if (!pattern.test(name)) return problem(`${noun} ${name}: expected a name: ${nameRule}`);
        const read = entry.safeParse(one);
        const [issue] = read.error?.issues ?? [];
        if (read.success) entries[name] = read.data;
        else return problem(`${noun} ${[name, ...(issue?.path ?? [])].join(".")}: ${issue?.message}`);
      }
      return entries;
    })
    .meta({ kind: "map" });
}

function parseMap(text: string): Record<string, unknown> | null {
  try {
    return z.record(z.string(), z.unknown()).parse(JSON.parse(text));
  } catch {
    return null; // the error of the setting says what it takes
  }
}

/** An http or https URL without user, password, and fragment. */
export const plainUrl = z
  .string({ error: "expected a URL" })
  .refine(isPlainUrl, { error: "expected http:// or https:// without user, password, and fragment" });

function isPlainUrl(text: string): boolean {
  const url = URL.parse(text);
  if (url === null || (url.protocol !== "https:" && url.protocol !== "http:")) return false;
  return url.username === "" && url.password === "" && url.hash === "" && !/[\s\u0000-\u001f]/.test(text);
}

/** Headers of requests. Values may be references to secrets. */
export const requestHeaders = z
  .record(z.string(), z.string({ error: "expected text" }))
  .superRefine((headers, context) => {
    for (const [name, value] of Object.entries(headers)) {
      const isBroken = value.startsWith("secret:") && secretNameOf(value) === null;
      const problem = isBroken ? "expected a reference: secret://name" : headerProblem(name, value);
      if (problem !== null) context.addIssue({ code: "custom", message: problem, path: [name] });
    }
  });

/** A duration as text or seconds, within bounds in milliseconds; `error` says them. */
export function durationWithin(leastMs: number, mostMs: number, error: string) {
  return z.union([z.number(), z.string()], { error }).refine((value) => isWithin(value, leastMs, mostMs), { error });
}

function isWithin(value: number | string, leastMs: number, mostMs: number): boolean {
  try {
    const ms = parseDurationMs(value);
    return ms >= leastMs && ms <= mostMs;
  } catch {
    return false; // the error of the setting says what it takes
  }
}
