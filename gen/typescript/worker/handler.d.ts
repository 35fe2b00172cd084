/** The task of a handler. */
export interface TaskContext {
    readonly runId: string;
    /** Path of the task in its run. */
    readonly taskId: string;
    readonly flowId: string;
    readonly queue: string;
    readonly handler: string;
    /** Attempt, from 1. */
    readonly attempt: number;
    /** The same for all attempts of the task: pass it on, so that the effect happens once. */
    readonly idempotencyKey: string;
    /** Rises with every hand-over: a system that keeps the highest one it has seen can refuse a late attempt. */
    readonly fencingToken: number;
    /** Links the run to work elsewhere; empty when it has none. */
    readonly correlationId: string;
    /** When the attempt runs out of time; null: never. */
    readonly deadline: Date | null;
    /** Aborts when the result is no longer wanted: the task was canceled or timed out, or the worker stops. */
    readonly signal: AbortSignal;
    /** Tells the service that the task is alive. The worker does so on its own while the handler runs. */
    heartbeat(): void;
}
/** Does tasks of one name: returns the output, which must be JSON, or throws. */
export type Handler<Input, Output> = (input: Input, task: TaskContext) => Output | Promise<Output>;
/** A handler of any types. */
export type AnyHandler = Handler<any, unknown>;
/** The input of a task; null when it is empty. */
export declare function decodeInput(bytes: Uint8Array): unknown;
/** The output of a handler as JSON. Errors: OUTPUT_INVALID, OUTPUT_TOO_LARGE, which are not retried. */
export declare function encodeOutput(output: unknown, maxBytes: number): Uint8Array;
