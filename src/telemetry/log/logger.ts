/**
 * The log: one JSON object a line, or readable lines on a terminal. Fields are written in snake case (`runId` becomes
 * `run_id`), long ones are cut, keys that name secrets are blotted out whatever they hold, and so are known secrets
 * wherever they stand.
 */
import { type DestinationStream, destination as openDestination, pino } from "pino";
import type { Log, LogComponent, LogFields, PartedLog } from "../../base/log.ts";
import type { LineLevel, LogControl } from "../../engine/ports/admin/log-control.ts";
import { LogLevels } from "./log-levels.ts";
import { RecentLines } from "./recent-lines.ts";

/** Levels, the least important first. */
export type LogLevel = "trace" | "debug" | "info" | "warn" | "error";

/** Settings of the log. */
export interface LoggerOptions {
  readonly level: LogLevel;
  /**
   * `auto`: readable when standard output is a terminal. `json-seed`: JSON with `timestamp` and `level` in capitals, as
   * merged systems wrote it.
   */
  readonly format: "auto" | "json" | "json-seed" | "pretty";
  /** Fields of every line, for instance the instance. */
  readonly fields?: LogFields;
  /** Takes values of secrets out of a line. */
  readonly redact?: (line: string) => string;
  /** Where lines go; standard output when absent. */
  readonly destination?: DestinationStream;
}

/** A log that can be flushed, and whose levels can be changed. */
export interface Logger extends PartedLog {
  readonly levels: LogControl;
  /** The last warnings and errors, as they were written. */
  readonly recent: { text(): string };
  /** Writes out what is buffered; call it before the process ends. */
  flush(): void;
}

/** Longest text of one field. */
const MAX_FIELD_LENGTH = 4_096;

const SECRET = /(^|_)(password|secret|token|authorization|cookie|api_?key|credential)s?$/;

/** Opens the log. */
export async function openLogger(options: LoggerOptions): Promise<Logger> {
  const pretty = options.format === "pretty" || (options.format === "auto" && process.stdout.isTTY === true);
  const stream = options.destination ?? (await openStream(pretty));
  const { redact } = options;
  const recent = new RecentLines();
  /** The level of the line that is being written. */
  let writing: LineLevel = "info";
  const logger = pino(
    {
      // Levels change while the process runs, and parts have their own: what is written is decided before.
      level: "debug",
      base: toLine(options.fields ?? {}),
      timestamp: createTimestamp(options.format === "json-seed" ? "timestamp" : "time"),
      messageKey: "message",
      formatters: { level: (label) => ({ level: options.format === "json-seed" ? capitalsOf(label) : label }) },
    },
    {
      write(text: string) {
        const line = redact === undefined ? text : redact(text);
        if (writing === "warn" || writing === "error") recent.add(line);
        stream.write(line);
      },
    },
  );
  const flush = (): void => {
    if ("flushSync" in stream && typeof stream.flushSync === "function") stream.flushSync();
  };
  const writeLine = (level: LineLevel, message: string, fields: LogFields | undefined): void => {
    const text = cleanText(message).replaceAll("\n", "\\n");
    writing = level;
    if (fields === undefined) logger[level](text);
    else logger[level](toLine(fields), text);
  };
  const configured = options.level === "trace" ? "debug" : options.level;
  const levels = new LogLevels(configured, (message, fields) => writeLine("info", message, fields));
  const createPart = (component: LogComponent | null): Log => {
    const write =
      (level: LineLevel) =>
      (message: string, fields?: LogFields): void => {
        // Nothing is formatted for lines that are not written.
        if (!levels.isWritten(component, level)) return;
        writeLine(level, message, component === null ? fields : { component, ...fields });
      };
    return { debug: write("debug"), info: write("info"), warn: write("warn"), error: write("error") };
  };
  const parts = new Map<LogComponent, Log>();
  const of = (component: LogComponent): Log => {
    const known = parts.get(component) ?? createPart(component);
    parts.set(component, known);
    return known;
  };
  return { ...createPart(null), of, levels, recent, flush };
}

/** The names of levels in Python. */
function capitalsOf(label: string): string {
  return label === "warn" ? "WARNING" : label.toUpperCase();
}

/** The time as pino wants it. Lines come many in a millisecond, and printing a date is a third of a line's cost. */
function createTimestamp(key: string): () => string {
  let at = 0;
  let text = "";
  return () => {
    const now = Date.now();
    if (now !== at) {
      at = now;
      text = `,"${key}":"${new Date(now).toISOString()}"`;
    }
    return text;
  };
}

/** Lines for people are written at once; lines for machines are gathered for a quarter of a second. */
async function openStream(pretty: boolean): Promise<DestinationStream> {
  if (!pretty) return gatherLines(openDestination({ dest: 1, sync: false }));
  const { default: format } = await import("pino-pretty");
  return format({
    sync: true,
    colorize: process.stdout.isTTY === true,
    translateTime: "SYS:HH:MM:ss.l",
    ignore: "pid,hostname,service,instance_id",
    messageKey: "message",
    singleLine: true,
  });
}

/** What is written at once, characters. Each write wakes a thread of this process and the reader of the lines. */
const CHUNK_LENGTH = 65_536;
/** Longest time that a line waits for others, milliseconds. */
const GATHER_MS = 250;

/**
 * Writes lines in chunks. The destination can buffer on its own, but measures its whole buffer at each line,
 * which makes one text of it each time:
 * 8 KB of garbage and 5 µs a line, twice what the line costs.
 */
function gatherLines(stream: ReturnType<typeof openDestination>): DestinationStream & { flushSync(): void } {
  let lines: string[] = [];
  let length = 0;
  let timer: NodeJS.Timeout | undefined;
  const pass = (): void => {
    clearTimeout(timer);
    timer = undefined;
    if (lines.length === 0) return;
    stream.write(lines.join(""));
    lines = [];
    length = 0;
  };
  const flushSync = (): void => {
    pass();
    stream.flushSync();
  };
  process.once("exit", flushSync);
  return {
    write(line) {
      lines.push(line);
      length += line.length;
      if (length >= CHUNK_LENGTH) pass();
      else timer ??= setTimeout(pass, GATHER_MS).unref();
    },
    flushSync,
  };
}

/**
 * Characters that make a line look like another one: control characters but tab and newline (which JSON escapes), those
 * that change the direction of writing, and the line and paragraph separators that some readers of logs break lines at.
 */
const DECEPTIVE = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g;

/** The text with such characters escaped. Every text of a line passes here. */
function cleanText(text: string): string {
  return text.replaceAll(DECEPTIVE, (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

function toLine(fields: LogFields): Record<string, unknown> {
  const line: Record<string, unknown> = {};
  for (const key in fields) {
    const { name, secret } = nameOf(key);
    line[name] = secret ? "[redacted]" : toValue(fields[key], 0);
  }
  return line;
}

function toValue(value: unknown, depth: number): unknown {
  if (typeof value === "string")
    return cleanText(value.length <= MAX_FIELD_LENGTH ? value : `${value.slice(0, MAX_FIELD_LENGTH)}…`);
  if (value instanceof Error) return toError(value, depth);
  if (typeof value === "bigint") return String(value);
  if (typeof value !== "object" || value === null) return value;
  if (depth >= 4) return "[deep]";
  if (Array.isArray(value)) return value.slice(0, 100).map((element) => toValue(element, depth + 1));
  const copy: Record<string, unknown> = {};
  for (const [key, one] of Object.entries(value).slice(0, 100))
    copy[cleanText(key)] = nameOf(key).secret ? "[redacted]" : toValue(one, depth + 1);
  return copy;
}

/**
 * What helps to find the cause; other properties of foreign errors (connections, statements, headers) may hold secrets.
 */
function toError(error: Error, depth: number): Record<string, unknown> {
  const { code, details } = error as { code?: unknown; details?: unknown };
  return {
    type: cleanText(error.name),
    message: toValue(error.message, depth),
    ...(typeof code === "string" ? { code } : {}),
    ...(typeof details === "object" && details !== null ? { details: toValue(details, depth + 1) } : {}),
    stack: toValue(error.stack, depth),
    ...(error.cause !== undefined && depth < 4 ? { cause: toValue(error.cause, depth + 1) } : {}),
  };
}

/** How a key is written, and whether it names a secret. */
interface FieldName {
  readonly name: string;
  readonly secret: boolean;
}

const names = new Map<string, FieldName>();

function nameOf(key: string): FieldName {
  let known = names.get(key);
  if (known === undefined) {
    const name = key.replaceAll(/([a-z0-9])([A-Z])/g, "$1_$2").toLowerCase();
    known = { name, secret: SECRET.test(name) };
    if (names.size < 1_000) names.set(key, known);
  }
  return known;
}
