import type { Transport } from "@connectrpc/connect";
import type { Handler } from "./handler.js";
/** What a worker is made of. */
export interface WorkerOptions {
    /** `host:port`, or `https://host:port` for TLS. */
    readonly address?: string;
    /** Sent as `authorization: Bearer …`. */
    readonly token?: string;
    /** A gRPC transport of Connect, instead of `address` and `token`. */
    readonly transport?: Transport;
    /** Name for people; host and process by default. */
    readonly name?: string;
    /** Queues to serve; `default` by default. */
    readonly queues?: readonly string[];
    /** What this worker has that tasks may ask for: `{gpu: "a100"}`. */
    readonly labels?: Readonly<Record<string, string>>;
    /** Build of the worker, for queues that name the builds that they take. */
    readonly buildId?: string;
    /** How many tasks to do at the same time; 10 by default. */
    readonly slots?: number;
    /** How long a stop waits for handlers before it aborts them, milliseconds; 30,000 by default. */
    readonly stopTimeoutMs?: number;
    /** Takes what is worth knowing, such as a lost connection; `console.error` by default. */
    readonly log?: (message: string) => void;
}
/** See the top of the file. */
export declare class Worker {
    #private;
    constructor(options: WorkerOptions);
    /** Registers a handler; before {@link Worker.run}. */
    handle<Input = unknown, Output = unknown>(name: string, handler: Handler<Input, Output>): this;
    /**
     * Works until SIGINT, SIGTERM, `signal`, or {@link Worker.stop}, then stops: it takes no new tasks, waits for its
     * handlers, and hands back what they do not finish. A second SIGINT or SIGTERM aborts them at once. Rejects when the
     * service refuses to register the worker; a service that is away is waited for.
     */
    run({ signal }?: {
        readonly signal?: AbortSignal;
    }): Promise<void>;
    /** Begins to stop; {@link Worker.run} resolves when it has. */
    stop(): void;
}
/** Makes a worker; it connects with {@link Worker.run}. */
export declare function createWorker(options?: WorkerOptions): Worker;
