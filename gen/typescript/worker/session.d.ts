import { type Client, type Transport } from "@connectrpc/connect";
import { type PollTasksResponse, type TaskReport, type TaskReportResult, WorkerService } from "../connect/v1.js";
/** What a session is made of. */
export interface SessionParts {
    readonly transport: Transport;
    /** What the worker registers as. */
    readonly worker: () => Parameters<Client<typeof WorkerService>["registerWorker"]>[0];
    /** Takes what comes on the stream. */
    readonly receive: (event: PollTasksResponse["event"]) => void;
    /**
     * Says of everything that is held that it is alive: the owner of a run may be another one now, and knows nothing yet.
     */
    readonly sayAlive: () => void;
    readonly log: (message: string) => void;
}
export declare class Session {
    #private;
    constructor(parts: SessionParts);
    get maxReports(): number;
    get maxOutputBytes(): number;
    /**
     * Reads the stream, again and again, until the signal aborts. Rejects when the service refuses to register the
     * worker.
     */
    read(signal: AbortSignal): Promise<void>;
    /** Ends the stream that is being read. */
    close(): void;
    report(reports: TaskReport[]): Promise<TaskReportResult[]>;
    /** Ends the session. Without this the service waits for it to time out. */
    goodbye(timeoutMs: number): Promise<void>;
    /** Keeps the session alive until the signal aborts. */
    beat(signal: AbortSignal): Promise<void>;
}
/** Connects to `host:port` or `https://host:port`, with a token or without. */
export declare function openTransport(address?: string, token?: string): Transport;
