import { type TaskReport, type TaskReportResult } from "../connect/v1.js";
import type { HeldTask } from "./held-task.js";
import { type TaskEvent } from "./words.js";
export interface OutboxParts {
    /** Makes the call; gives one result for each report. */
    send(reports: TaskReport[]): Promise<readonly TaskReportResult[]>;
    /** Most reports in a call. */
    maxReports(): number;
    /** A report was answered. `event` is what was reported. */
    answered(held: HeldTask, event: TaskEvent, result: TaskReportResult): void;
    log(message: string): void;
}
/** Sends reports. */
export declare class Outbox {
    #private;
    constructor(parts: OutboxParts);
    /** Something about the task waits to be sent. */
    add(held: HeldTask): void;
    /** Sends nothing more. */
    end(): void;
}
/** A random delay that doubles with every failure, from 50 ms up to `maxMs`. */
export declare function jitter(failures: number, maxMs: number): number;
