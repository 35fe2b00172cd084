/** Fails a task with a type of its own, which retry policies and flows match: `CARD_DECLINED`. */
export class TaskError extends Error {
    name = "TaskError";
    type;
    retryable;
    nextRetryDelayMs;
    constructor(type, message, { retryable = true, nextRetryDelayMs, ...rest } = {}) {
        super(message, rest);
        this.type = type;
        this.retryable = retryable;
        this.nextRetryDelayMs = nextRetryDelayMs;
    }
}
/** Fails a task for good: there is no further attempt. */
export class NonRetryableError extends TaskError {
    name = "NonRetryableError";
    constructor(type, message, options) {
        super(type, message, { ...options, retryable: false });
    }
}
/** The type of every error that is not a {@link TaskError}. */
export const HANDLER_FAILED = "HANDLER_FAILED";
/** Bounds of the contract, characters. */
const MAX_TYPE = 128;
const MAX_MESSAGE = 8_192;
const MAX_DELAY_MS = 31_536_000_000;
/** The error of a handler as the service takes it: texts are cut to size. */
export function toErrored(error) {
    if (!(error instanceof TaskError)) {
        return { type: HANDLER_FAILED, message: cut(String(error), MAX_MESSAGE), nonRetryable: false };
    }
    const { type, message, retryable, nextRetryDelayMs } = error;
    const failed = {
        type: cut(type.replaceAll("\0", ""), MAX_TYPE) || HANDLER_FAILED,
        message: cut(message, MAX_MESSAGE),
        nonRetryable: !retryable,
    };
    return nextRetryDelayMs === undefined ? failed : { ...failed, nextRetryDelay: toDuration(nextRetryDelayMs) };
}
/** At most `max` code points; half surrogates, which Protobuf refuses, become replacement characters. */
export function cut(text, max) {
    const whole = text.toWellFormed();
    return whole.length <= max ? whole : [...whole.slice(0, 2 * max)].slice(0, max).join("").toWellFormed();
}
function toDuration(milliseconds) {
    const ms = Math.min(Math.max(0, Math.round(milliseconds) || 0), MAX_DELAY_MS);
    return { $typeName: "google.protobuf.Duration", seconds: BigInt(Math.floor(ms / 1_000)), nanos: (ms % 1_000) * 1e6 };
}
