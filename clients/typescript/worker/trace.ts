/** The trace of a task, for handlers that record spans. */
import type { WorkerTask } from "../../../gen/typescript/connect/v1.js";

/** What is used of `@opentelemetry/api`, which a worker may have or not. */
interface OpenTelemetry {
  readonly ROOT_CONTEXT: object;
  readonly context: { with<T>(context: object, call: () => T): T };
  readonly propagation: { extract(context: object, carrier: object): object };
}

// The name is no literal, so that bundlers do not demand the package.
const PACKAGE: string = "@opentelemetry/api";
let loading: Promise<OpenTelemetry | null> | null = null;

/**
 * Calls a handler so that its spans are children of the attempt. Without `@opentelemetry/api`, or without a propagator
 * that its SDK has set, the call is made as it is.
 */
export async function callInTrace<T>({ traceparent, tracestate }: WorkerTask, call: () => T): Promise<Awaited<T>> {
  if (traceparent === "") return await call();
  // A package that is not there is the usual case.
  loading ??= (import(PACKAGE) as Promise<OpenTelemetry>).catch(() => null);
  const api = await loading;
  if (api === null) return await call();
  const carrier = tracestate === "" ? { traceparent } : { traceparent, tracestate };
  return await api.context.with(api.propagation.extract(api.ROOT_CONTEXT, carrier), call);
}
