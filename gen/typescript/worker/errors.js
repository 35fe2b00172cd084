/** Fails a task with a type of its own, which retry policies and flows match: `CARD_DECLINED`. */
export class TaskError extends Error {
    name = "TaskError";
    type;
    retryable;
    nextRetryDelayMs;
    details;
    constructor(type, message, options = {}) {
        const { retryable = true, nextRetryDelayMs, details, ...rest } = options;
        super(message, rest);
        this.details = details;
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
/** The type of the error that stands for a result or an error which the service refuses. */
export const REPORT_REFUSED = "REPORT_REFUSED";
/** Bounds of the contract, characters. */
const MAX_TYPE = 128;
const MAX_MESSAGE = 8_192;
const MAX_DELAY_MS = 31_536_000_000;
const MAX_DETAILS = 1_000_000;
/** The error of a handler as the service takes it: texts are cut to size. */
export function toErrored(error) {
    if (!(error instanceof TaskError)) {
        const message = cut(error, MAX_MESSAGE);
        return { type: HANDLER_FAILED, message, nonRetryable: false, detailsValue: { case: undefined } };
    }
    const { type, message, retryable, nextRetryDelayMs, details } = error;
    const failed = {
        detailsValue: toDetails(details),
        type: cut(print(type).replaceAll("\0", ""), MAX_TYPE) || HANDLER_FAILED,
        message: cut(message, MAX_MESSAGE),
        nonRetryable: !retryable,
    };
    return nextRetryDelayMs === undefined ? failed : { ...failed, nextRetryDelay: toDuration(nextRetryDelayMs) };
}
/** Details that are no JSON, or too large, are left out: the task must end all the same. */
function toDetails(details) {
    try {
        const text = JSON.stringify(details);
        if (text === undefined || text.length > MAX_DETAILS)
            return { case: undefined };
        return { case: "detailsJson", value: new TextEncoder().encode(text) };
    }
    catch {
        return { case: undefined };
    }
}
/**
 * At most `max` code points of what the value prints. What Protobuf and the service refuse becomes replacement
 * characters: half surrogates and NUL.
 */
export function cut(value, max) {
    const whole = print(value).toWellFormed().replaceAll("\0", "\ufffd");
    return whole.length <= max ? whole : [...whole.slice(0, 2 * max)].slice(0, max).join("").toWellFormed();
}
/** Also of a value that cannot be printed: its task must end all the same. */
function print(value) {
    try {
        return String(value);
    }
    catch {
        return `a value of type ${typeof value} that cannot be printed`;
    }
}
function toDuration(milliseconds) {
    const ms = Math.min(Math.max(0, Math.round(Number(milliseconds)) || 0), MAX_DELAY_MS);
    return { $typeName: "google.protobuf.Duration", seconds: BigInt(Math.floor(ms / 1_000)), nanos: (ms % 1_000) * 1e6 };
}
