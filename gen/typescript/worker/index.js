/** Workers: processes that do the tasks of type `worker`. */
export { NonRetryableError, TaskError } from "./errors.js";
export { createWorker, Worker } from "./worker.js";
