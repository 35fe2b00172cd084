/** What a handler gets and gives, and the call of one. */
import { NonRetryableError } from "./errors.ts";

/** The task of a handler. */
export interface TaskContext {
  readonly runId: string;
  /** Path of the task in its run. */
  readonly taskId: string;
  readonly flowId: string;
  readonly queue: string;
  readonly handler: string;
  /** Attempt, from 1. */
  readonly attempt: number;
  /** The same for all attempts of the task: pass it on, so that the effect happens once. */
  readonly idempotencyKey: string;
  /** Rises with every hand-over: a system that keeps the highest one it has seen can refuse a late attempt. */
  readonly fencingToken: number;
  /** Links the run to work elsewhere; empty when it has none. */
  readonly correlationId: string;
  /** Position of the attempt in the trace of its run, by W3C Trace Context; empty when there is none. */
  readonly traceparent: string;
  readonly tracestate: string;
  /** When the attempt runs out of time; null: never. */
  readonly deadline: Date | null;
  /** Aborts when the result is no longer wanted: the task was canceled or timed out, or the worker stops. */
  readonly signal: AbortSignal;
  /** What {@link TaskContext.checkpoint} saved last, in this attempt or before it; undefined when nothing was. */
  readonly lastCheckpoint: unknown;
  /** Names the hand-over in reports: for the process that ends a detached task. */
  readonly token: string;
  /** Tells the service that the task is alive. The worker does so on its own while the handler runs. */
  heartbeat(): void;
  /** Shows those who watch the run how far the task is. Too much of it is dropped. */
  progress(progress: Progress): void;
  /** Shows those who watch the run a line. Too many are dropped. */
  log(text: unknown, level?: "debug" | "info" | "warn" | "error"): void;
  /**
   * Saves what the next attempt needs to go on from here: JSON of at most 64 KB. The last one counts. Throws
   * RangeError.
   */
  checkpoint(value: unknown): void;
  /**
   * Frees the slot: the work goes on elsewhere, and the holder of the token reports its end. What the handler returns
   * is ignored.
   */
  detach(): void;
}

/** How far a task is. */
export interface Progress {
  /** From 0 to 1. */
  readonly fraction?: number | undefined;
  /** Steps that are done, and in all. */
  readonly current?: number | undefined;
  readonly total?: number | undefined;
  readonly message?: string;
}

/** Does tasks of one name: returns the output, which must be JSON, or throws. */
export type Handler<Input, Output> = (input: Input, task: TaskContext) => Output | Promise<Output>;

/** A handler of any types. */
// biome-ignore lint/suspicious/noExplicitAny: the input is what the flow sends; its type is the author's promise.
export type AnyHandler = Handler<any, unknown>;

const decoder = new TextDecoder();
const encoder = new TextEncoder();
const NULL = encoder.encode("null");

/** The input of a task; null when it is empty. */
export function decodeInput(bytes: Uint8Array): unknown {
  return bytes.length === 0 ? null : JSON.parse(decoder.decode(bytes));
}

/** The output of a handler as JSON. Errors: OUTPUT_INVALID, OUTPUT_TOO_LARGE, which are not retried. */
export function encodeOutput(output: unknown, maxBytes: number): Uint8Array {
  if (output === undefined || output === null) return NULL;
  let text: string | undefined;
  try {
    text = JSON.stringify(output);
  } catch (cause) {
    throw new NonRetryableError("OUTPUT_INVALID", `the handler returned what is not JSON: ${cause}`, { cause });
  }
  if (text === undefined) throw new NonRetryableError("OUTPUT_INVALID", `the handler returned a ${typeof output}`);
  const bytes = encoder.encode(text);
  if (bytes.length <= maxBytes) return bytes;
  throw new NonRetryableError(
    "OUTPUT_TOO_LARGE",
    `the output has ${bytes.length} bytes of JSON, more than ${maxBytes}`,
  );
}
