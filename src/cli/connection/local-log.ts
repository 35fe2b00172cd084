/** The log of a service inside the command. Nobody reads it, but bugs must still be reported. */
import type { Log } from "../../base/log.ts";
import { show, showLines, writeShown } from "../terminal/output.ts";

/** A log that keeps errors until they can be printed without disturbing the terminal. */
export interface LocalLog extends Log {
  /** Prints the kept errors to standard error, with ids and stacks. */
  print(stream?: NodeJS.WritableStream): void;
}

/** Most errors to keep; the first ones show the cause. */
const MAX_KEPT = 20;

/** Keeps errors and drops the rest. */
export function createLocalLog(): LocalLog {
  const kept: string[] = [];
  return {
    debug() {},
    info() {},
    warn() {},
    error(message, { error, ...fields } = {}) {
      if (kept.length >= MAX_KEPT) return;
      const words = Object.entries(fields).map(([name, value]) => `${name}=${JSON.stringify(value)}`);
      const stack =
        error === undefined ? "" : `\n${error instanceof Error ? (error.stack ?? error.message) : String(error)}`;
      kept.push(`log: ${[message, ...words].join(" ")}${stack}`);
    },
    print(stream = process.stderr) {
      for (const text of kept.splice(0)) writeShown(stream, show`${showLines(text)}\n`);
    },
  };
}
