import { type AnyHandler } from "./handler.js";
import type { HeldTask } from "./held-task.js";
import type { TaskEvent } from "./words.js";
/** Calls the handler of a task. Never rejects. */
export declare function callHandler(held: HeldTask, handler: AnyHandler, maxOutputBytes: number): Promise<TaskEvent>;
/** The report of an error. */
export declare function toFailed(error: unknown): TaskEvent;
/** The report that the task goes to another worker, with the same attempt. */
export declare function toHandedBack(reason: string): TaskEvent;
