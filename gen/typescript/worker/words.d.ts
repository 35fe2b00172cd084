/**
 * What is said about a task and waits to be sent together. A new word replaces the one before it of the same kind, and
 * any word is a sign of life: a handler that ends at once is one report.
 */
import type { TaskReport } from "../connect/v1.js";
/** What is said about a task. */
export type TaskEvent = TaskReport["event"];
/** See the top of the file. */
export declare class Words {
    #private;
    get areWaiting(): boolean;
    add(event: TaskEvent): void;
    /** Takes the first `most`. */
    take(most: number): readonly TaskEvent[];
    /** An event goes again, before what was said since. What is for watchers only is lost, and a newer word stands. */
    again(event: TaskEvent): void;
}
/** Whether nothing can be said about a task after the event. */
export declare function isEnd(event: TaskEvent): boolean;
