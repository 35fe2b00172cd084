/** Workers: processes that do the tasks of type `worker`. */
export { NonRetryableError, TaskError, type TaskErrorOptions } from "./errors.ts";
export type { Handler, Progress, TaskContext } from "./handler.ts";
export { createWorker, Worker, type WorkerOptions } from "./worker.ts";
