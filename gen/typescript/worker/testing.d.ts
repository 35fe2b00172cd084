import { type Handler, type Progress } from "./handler.js";
/** The task that the handler sees; what is absent has a value that fits. */
export interface TestTask {
    readonly runId?: string;
    readonly taskId?: string;
    readonly flowId?: string;
    readonly queue?: string;
    readonly handler?: string;
    readonly attempt?: number;
    readonly idempotencyKey?: string;
    readonly fencingToken?: number;
    readonly correlationId?: string;
    readonly traceparent?: string;
    readonly tracestate?: string;
    /** How long the attempt may take, milliseconds; absent: there is no limit. */
    readonly timeoutMs?: number;
    /** What an earlier attempt has saved. */
    readonly lastCheckpoint?: unknown;
    /** Cancels the task when it aborts. */
    readonly cancel?: AbortSignal;
}
/** What the service would learn of a call. */
export type TestResult<Output> = {
    /** How often the handler called `heartbeat`. */
    readonly heartbeats: number;
    /** What it told those who watch. */
    readonly progress: readonly Progress[];
    readonly logs: readonly string[];
    /** What it saved. */
    readonly checkpoints: readonly unknown[];
} & ({
    readonly state: "succeeded";
    readonly output: Output;
} | {
    readonly state: "failed";
    readonly error: TestError;
} | {
    readonly state: "stopped" | "detached";
});
/** The error of a handler, as flows and retry policies see it. */
export interface TestError {
    readonly type: string;
    readonly message: string;
    readonly retryable: boolean;
    readonly nextRetryDelayMs?: number;
    readonly details?: unknown;
}
/** Calls the handler as a worker does: input and output travel as JSON. Never rejects for what the handler throws. */
export declare function runHandler<Input, Output>(handler: Handler<Input, Output>, input: Input, { cancel, timeoutMs, lastCheckpoint, ...given }?: TestTask): Promise<TestResult<Output>>;
