/**
 * A task that the worker holds.
 *
 *   received → acknowledged → handler ended → reported → answered: no longer held
 *
 * Of what there is to say about a task, only the last word waits to be sent: a result replaces the acknowledgement before it,
 * and nothing replaces a result.
 */
import type { TaskReport, WorkerTask } from "../connect/v1.js";
import type { TaskContext } from "./handler.js";
/** What is said about a task. */
export type TaskEvent = TaskReport["event"];
/** Why a signal aborts. */
export type AbortCause = "CANCELED" | "OUTDATED" | "TIMEOUT" | "STOPPING";
/** See the top of the file. */
export declare class HeldTask implements TaskContext {
    #private;
    readonly task: WorkerTask;
    /** What waits to be sent. */
    next: TaskEvent | null;
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
    get signal(): AbortSignal;
    heartbeat(): void;
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
