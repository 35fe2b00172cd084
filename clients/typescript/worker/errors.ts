/** Errors that a handler throws to say what shall happen next. */
import type { TaskErrored } from "../../../gen/typescript/connect/v1.js";

/** What a {@link TaskError} says beyond its message. */
export interface TaskErrorOptions extends ErrorOptions {
  /** Whether another attempt may succeed; true by default. The retry policy of the task has the last word. */
  readonly retryable?: boolean;
  /** Delay before the next attempt, milliseconds; overrides the retry policy of the task. */
  readonly nextRetryDelayMs?: number;
}

/** Fails a task with a type of its own, which retry policies and flows match: `CARD_DECLINED`. */
export class TaskError extends Error {
  override readonly name: string = "TaskError";
  readonly type: string;
  readonly retryable: boolean;
  readonly nextRetryDelayMs: number | undefined;

  constructor(type: string, message: string, { retryable = true, nextRetryDelayMs, ...rest }: TaskErrorOptions = {}) {
    super(message, rest);
    this.type = type;
    this.retryable = retryable;
    this.nextRetryDelayMs = nextRetryDelayMs;
  }
}

/** Fails a task for good: there is no further attempt. */
export class NonRetryableError extends TaskError {
  override readonly name = "NonRetryableError";

  constructor(type: string, message: string, options?: ErrorOptions) {
    super(type, message, { ...options, retryable: false });
  }
}

/** The type of every error that is not a {@link TaskError}. */
export const HANDLER_FAILED = "HANDLER_FAILED";

/** The type of the error that stands for a result or an error which the service refuses. */
export const REPORT_REFUSED = "REPORT_REFUSED";

/** Bounds of the contract, characters. */
const MAX_TYPE = 128;
const MAX_MESSAGE = 8_192;
const MAX_DELAY_MS = 31_536_000_000;

/** The error of a handler as the service takes it: texts are cut to size. */
export function toErrored(error: unknown): Pick<TaskErrored, "type" | "message" | "nonRetryable" | "nextRetryDelay"> {
  if (!(error instanceof TaskError)) {
    return { type: HANDLER_FAILED, message: cut(error, MAX_MESSAGE), nonRetryable: false };
  }
  const { type, message, retryable, nextRetryDelayMs } = error;
  const failed = {
    type: cut(print(type).replaceAll("\0", ""), MAX_TYPE) || HANDLER_FAILED,
    message: cut(message, MAX_MESSAGE),
    nonRetryable: !retryable,
  };
  return nextRetryDelayMs === undefined ? failed : { ...failed, nextRetryDelay: toDuration(nextRetryDelayMs) };
}

/**
 * At most `max` code points of what the value prints. What Protobuf and the service refuse becomes replacement characters: half
 * surrogates and NUL.
 */
export function cut(value: unknown, max: number): string {
  const whole = print(value).toWellFormed().replaceAll("\0", "\ufffd");
  return whole.length <= max ? whole : [...whole.slice(0, 2 * max)].slice(0, max).join("").toWellFormed();
}

/** Also of a value that cannot be printed: its task must end all the same. */
function print(value: unknown): string {
  try {
    return String(value);
  } catch {
    return `a value of type ${typeof value} that cannot be printed`;
  }
}

function toDuration(milliseconds: number): NonNullable<TaskErrored["nextRetryDelay"]> {
  const ms = Math.min(Math.max(0, Math.round(Number(milliseconds)) || 0), MAX_DELAY_MS);
  return { $typeName: "google.protobuf.Duration", seconds: BigInt(Math.floor(ms / 1_000)), nanos: (ms % 1_000) * 1e6 };
}
