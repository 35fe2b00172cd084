/** Plain values that go with a line of the log: ids, sizes, durations with their unit in the name; an `error` may be any thrown value. */
export type LogFields = Readonly<Record<string, unknown>>;

/** What every part may say to the log. The telemetry layer gives the real one; nothing below it knows how lines are written. */
export interface Log {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

/** A log that drops everything. */
export const silentLog: Log = { debug() {}, info() {}, warn() {}, error() {} };
