/** The trace of a task, for handlers that record spans. */
import type { WorkerTask } from "../connect/v1.js";
/**
 * Calls a handler so that its spans are children of the attempt. Without `@opentelemetry/api`, or without a propagator
 * that its SDK has set, the call is made as it is.
 */
export declare function callInTrace<T>({ traceparent, tracestate }: WorkerTask, call: () => T): Promise<Awaited<T>>;
