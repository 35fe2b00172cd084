/** Workers: processes that do the tasks of type `worker`. */
export { NonRetryableError, TaskError, type TaskErrorOptions } from "./errors.js";
export type { Handler, Progress, TaskContext } from "./handler.js";
export { createWorker, Worker, type WorkerOptions } from "./worker.js";
