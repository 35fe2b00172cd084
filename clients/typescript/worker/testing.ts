/** Runs a handler without a service, for its unit tests. */
import type { WorkerTask } from "../../../gen/typescript/connect/v1.js";
import { callHandler } from "./call-handler.ts";
import type { Handler } from "./handler.ts";
import { HeldTask, toMs } from "./held-task.ts";

/** The task that the handler sees; what is absent has a value that fits. */
export interface TestTask {
  readonly runId?: string;
  readonly taskId?: string;
  readonly flowId?: string;
  readonly queue?: string;
  readonly handler?: string;
  readonly attempt?: number;
  readonly idempotencyKey?: string;
  readonly fencingToken?: number;
  readonly correlationId?: string;
  /** How long the attempt may take, milliseconds; absent: there is no limit. */
  readonly timeoutMs?: number;
  /** Cancels the task when it aborts. */
  readonly cancel?: AbortSignal;
}

/** What the service would learn of a call. */
export type TestResult<Output> = {
  /** How often the handler called `heartbeat`. */
  readonly heartbeats: number;
} & (
  | { readonly state: "succeeded"; readonly output: Output }
  | { readonly state: "failed"; readonly error: TestError }
  | { readonly state: "stopped" }
);

/** The error of a handler, as flows and retry policies see it. */
export interface TestError {
  readonly type: string;
  readonly message: string;
  readonly retryable: boolean;
  readonly nextRetryDelayMs?: number;
}

const MAX_OUTPUT_BYTES = 4 * 1_024 * 1_024;

/** Calls the handler as a worker does: input and output travel as JSON. Never rejects for what the handler throws. */
export async function runHandler<Input, Output>(
  handler: Handler<Input, Output>,
  input: Input,
  { cancel, timeoutMs, ...given }: TestTask = {},
): Promise<TestResult<Output>> {
  let heartbeats = 0;
  const held = new HeldTask(toTask(input, given, timeoutMs), ({ next }) => {
    if (next?.case === "alive") heartbeats += 1;
    held.next = null;
  });
  const abort = (): void => held.abort("CANCELED");
  cancel?.addEventListener("abort", abort);
  if (cancel?.aborted === true) abort();
  const event = await callHandler(held, handler, MAX_OUTPUT_BYTES);
  held.drop();
  cancel?.removeEventListener("abort", abort);
  switch (event.case) {
    case "succeeded": {
      const { value } = event.value.outputValue as { readonly value: Uint8Array };
      return { state: "succeeded", heartbeats, output: JSON.parse(new TextDecoder().decode(value)) };
    }
    case "failed": {
      const { type, message, nonRetryable, nextRetryDelay } = event.value;
      const nextRetryDelayMs = toMs(nextRetryDelay);
      const error = { type, message, retryable: !nonRetryable };
      return { state: "failed", heartbeats, error: nextRetryDelayMs === null ? error : { ...error, nextRetryDelayMs } };
    }
    default:
      return { state: "stopped", heartbeats };
  }
}

function toTask(input: unknown, given: TestTask, timeoutMs: number | undefined): WorkerTask {
  const limit =
    timeoutMs === undefined
      ? {}
      : { timeout: { seconds: BigInt(Math.floor(timeoutMs / 1_000)), nanos: (timeoutMs % 1_000) * 1e6 } };
  return {
    $typeName: "orchestrator.v1.WorkerTask",
    taskToken: "test",
    handler: "test",
    queue: "default",
    runId: "test-run",
    taskId: "test",
    flowId: "test-flow",
    attempt: 1,
    idempotencyKey: "test-run/test/0",
    fencingToken: 1,
    correlationId: "",
    inputJson: new TextEncoder().encode(JSON.stringify(input ?? null)),
    ...given,
    ...limit,
  } as WorkerTask;
}
