/**
 * The file `.env`: variables for which the environment has no value. Node parses it; what Node would pass over in
 * silence is a problem here, with its line.
 */
import { existsSync, readFileSync } from "node:fs";
import { parseEnv } from "node:util";
import type { ConfigProblem } from "./sources.ts";

/** The file that is read when it exists and ORCHESTRATOR_ENV_FILE names no other. */
const DEFAULT_FILE = ".env";
/** Names the file; `none`: no file is read. */
const FILE_VARIABLE = "ORCHESTRATOR_ENV_FILE";

type Environment = Readonly<Record<string, string | undefined>>;

/** What the file says. */
export interface EnvFile {
  readonly values: Readonly<Record<string, string>>;
  /** File and line of a variable, for messages. */
  placeOf(name: string): string;
  readonly problems: readonly ConfigProblem[];
}

const NOTHING: EnvFile = { values: {}, placeOf: (name) => name, problems: [] };

/**
 * Reads the file of a process with this environment. A file that is named and not there is a problem. `isDefaultRead`:
 * whether one that nobody names is read.
 */
export function readEnvFile(env: Environment, { isDefaultRead = true } = {}): EnvFile {
  const named = env[FILE_VARIABLE]?.trim() ?? "";
  if (named === "none" || (named === "" && !(isDefaultRead && existsSync(DEFAULT_FILE)))) return NOTHING;
  const path = named === "" ? DEFAULT_FILE : named;
  try {
    return parseEnvFile(readFileSync(path, "utf8"), path);
  } catch (error) {
    return { ...NOTHING, problems: [{ place: path, problem: `cannot be read: ${(error as Error).message}` }] };
  }
}

/** Parses the text of a file; `path` is its name in messages. */
export function parseEnvFile(text: string, path: string): EnvFile {
  const lines = new Map<string, number>();
  const problems: ConfigProblem[] = [];
  const plain = text.replace(/^\uFEFF/, "").replaceAll(/\r\n?/g, "\n");
  for (const { line, name, problem } of scan(plain)) {
    if (name !== null) lines.set(name, line);
    if (problem !== null) problems.push({ place: `${path}:${line}`, problem });
  }
  const values = problems.length > 0 ? {} : (parseEnv(plain) as Record<string, string>);
  return { values, placeOf: (name) => `${path}:${lines.get(name) ?? 0} ${name}`, problems };
}

interface Scanned {
  readonly line: number;
  readonly name: string | null;
  readonly problem: string | null;
}

/** The assignments of a text, and the lines that are none. Values in quotes may have several lines. */
function* scan(text: string): Generator<Scanned> {
  let line = 1;
  for (let at = 0; at < text.length; ) {
    const begins = line;
    let end = endOfLine(text, at);
    const found = /^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)[ \t]*=[ \t]*/.exec(text.slice(at, end));
    const rest = text.slice(at, end).trim();
    if (found === null) {
      const problem = rest === "" || rest.startsWith("#") ? null : "expected NAME=value, or # and a comment";
      if (problem !== null) yield { line: begins, name: null, problem };
    } else {
      const [head, name = ""] = found;
      const start = at + head.length;
      const quote = text[start] ?? "";
      let problem: string | null = null;
      if (`"'\``.includes(quote) && quote !== "") {
        const close = text.indexOf(quote, start + 1);
        if (close === -1) problem = `the value begins with ${quote}, which is not closed`;
        else {
          line += text.slice(start, close).split("\n").length - 1;
          end = endOfLine(text, close);
          if (!/^\s*(#.*)?$/.test(text.slice(close + 1, end)))
            problem = `the value goes on after its closing ${quote}; put other quotes around the whole`;
        }
      }
      yield { line: begins, name, problem };
    }
    line += 1;
    at = end + 1;
  }
}

function endOfLine(text: string, from: number): number {
  const end = text.indexOf("\n", from);
  return end === -1 ? text.length : end;
}
