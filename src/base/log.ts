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

/** The parts of the service whose level can be set apart. */
export const LOG_COMPONENTS = [
  ...["api", "store", "engine", "flows", "gate", "models", "services", "triggers", "kafka", "redis", "webhooks"],
] as const satisfies readonly string[];

/** A part of the service, as its lines name it. */
export type LogComponent = (typeof LOG_COMPONENTS)[number];

/** A log that knows its parts. */
export interface PartedLog extends Log {
  /** The log of a part, whose lines name it. */
  of(component: LogComponent): Log;
}

/** The log of a part; of a log without parts, the log itself. */
export function logOf(log: Log | PartedLog, component: LogComponent): Log {
  return "of" in log ? log.of(component) : log;
}

/** A log that discards everything. */
export const silentLog: Log = { debug() {}, info() {}, warn() {}, error() {} };
