/** Errors that a handler throws to say what shall happen next. */
import type { TaskErrored } from "../connect/v1.js";
/** What a {@link TaskError} says beyond its message. */
export interface TaskErrorOptions extends ErrorOptions {
    /** Whether another attempt may succeed; true by default. The retry policy of the task has the last word. */
    readonly retryable?: boolean;
    /** Delay before the next attempt, milliseconds; overrides the retry policy of the task. */
    readonly nextRetryDelayMs?: number;
    /** More for flows, as `tasks.<id>.error.details`: anything that JSON can say. */
    readonly details?: unknown;
}
/** Fails a task with a type of its own, which retry policies and flows match: `CARD_DECLINED`. */
export declare class TaskError extends Error {
    readonly name: string;
    readonly type: string;
    readonly retryable: boolean;
    readonly nextRetryDelayMs: number | undefined;
    readonly details: unknown;
    constructor(type: string, message: string, options?: TaskErrorOptions);
}
/** Fails a task for good: there is no further attempt. */
export declare class NonRetryableError extends TaskError {
    readonly name = "NonRetryableError";
    constructor(type: string, message: string, options?: ErrorOptions);
}
/** The type of every error that is not a {@link TaskError}. */
export declare const HANDLER_FAILED = "HANDLER_FAILED";
/** The type of the error that stands for a result or an error which the service refuses. */
export declare const REPORT_REFUSED = "REPORT_REFUSED";
/** The error of a handler as the service takes it: texts are cut to size. */
export declare function toErrored(error: unknown): Omit<TaskErrored, "$typeName" | "$unknown">;
/**
 * At most `max` code points of what the value prints. What Protobuf and the service refuse becomes replacement
 * characters: half surrogates and NUL.
 */
export declare function cut(value: unknown, max: number): string;
