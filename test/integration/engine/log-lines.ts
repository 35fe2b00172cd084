/** Logs of engines, as lists of lines. */
import type { Log, LogFields } from "../../../src/base/log.ts";

/** A line of an instance's log. */
export interface LogLine extends LogFields {
  readonly level: "info" | "warn" | "error";
  readonly message: string;
}

/** A log that adds to these lines. */
export function createLog(lines: LogLine[]): Log {
  const write =
    (level: LogLine["level"]) =>
    (message: string, fields: LogFields = {}) => {
      lines.push({ level, message, ...fields });
      if (process.env.ORCHESTRATOR_TEST_LOG === "1") console.log(level, message, fields);
    };
  return { debug() {}, info: write("info"), warn: write("warn"), error: write("error") };
}
