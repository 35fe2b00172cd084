/**
 * Plain values attached to a log line: ids, sizes, durations with their unit in the name; `error` may be any thrown
 * value.
 */
export type LogFields = Readonly<Record<string, unknown>>;

/**
 * The log interface for every part. The telemetry layer implements it; nothing below that layer knows how lines are
 * written.
 */
export interface Log {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

/** A log that discards everything. */
export const silentLog: Log = { debug() {}, info() {}, warn() {}, error() {} };
