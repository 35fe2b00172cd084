import { LogLevel, type WorkerTask } from "../connect/v1.js";
import { type Progress, type TaskContext } from "./handler.js";
import { type TaskEvent, Words } from "./words.js";
/** Why a signal aborts. */
export type AbortCause = "CANCELED" | "OUTDATED" | "TIMEOUT" | "STOPPING";
declare const LEVELS: {
    readonly debug: LogLevel.DEBUG;
    readonly info: LogLevel.INFO;
    readonly warn: LogLevel.WARN;
    readonly error: LogLevel.ERROR;
};
/** See the top of the file. */
export declare class HeldTask implements TaskContext {
    #private;
    readonly task: WorkerTask;
    /** What waits to be sent. */
    readonly words: Words;
    /** Nothing is said after the end. */
    ended: boolean;
    cause: AbortCause | null;
    readonly deadline: Date | null;
    constructor(task: WorkerTask, say: (held: HeldTask, event: TaskEvent) => void);
    get runId(): string;
    get taskId(): string;
    get flowId(): string;
    get queue(): string;
    get handler(): string;
    get attempt(): number;
    get idempotencyKey(): string;
    get fencingToken(): number;
    get correlationId(): string;
    get traceparent(): string;
    get tracestate(): string;
    get signal(): AbortSignal;
    get token(): string;
    get lastCheckpoint(): unknown;
    heartbeat(): void;
    progress({ fraction, current, total, message }: Progress): void;
    log(text: unknown, level?: keyof typeof LEVELS): void;
    checkpoint(value: unknown): void;
    detach(): void;
    /** Says something about the task, unless its end has been said. */
    say(event: TaskEvent): void;
    /** Says the last word. */
    end(event: TaskEvent): void;
    /** Nothing more is said. */
    drop(): void;
    /** Tells the handler that its result is no longer wanted. The first cause stands. */
    abort(cause: AbortCause): void;
}
/** A duration of the contract in milliseconds; null when there is none. */
export declare function toMs(duration: {
    readonly seconds: bigint;
    readonly nanos: number;
} | undefined): number | null;
export {};
