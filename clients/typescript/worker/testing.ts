/** Runs a handler without a service, for its unit tests. */
import type { WorkerTask } from "../../../gen/typescript/connect/v1.js";
import { callHandler } from "./call-handler.ts";
import { decodeInput, type Handler, type Progress } from "./handler.ts";
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
  readonly traceparent?: string;
  readonly tracestate?: string;
  /** How long the attempt may take, milliseconds; absent: there is no limit. */
  readonly timeoutMs?: number;
  /** What an earlier attempt has saved. */
  readonly lastCheckpoint?: unknown;
  /** Cancels the task when it aborts. */
  readonly cancel?: AbortSignal;
}

/** What the service would learn of a call. */
export type TestResult<Output> = {
  /** How often the handler called `heartbeat`. */
  readonly heartbeats: number;
  /** What it told those who watch. */
  readonly progress: readonly Progress[];
  readonly logs: readonly string[];
  /** What it saved. */
  readonly checkpoints: readonly unknown[];
} & (
  | { readonly state: "succeeded"; readonly output: Output }
  | { readonly state: "failed"; readonly error: TestError }
  | { readonly state: "stopped" | "detached" }
);

/** The error of a handler, as flows and retry policies see it. */
export interface TestError {
  readonly type: string;
  readonly message: string;
  readonly retryable: boolean;
  readonly nextRetryDelayMs?: number;
  readonly details?: unknown;
}

/** More than a handler can say at once. */
const MAX_WAITING = 1_000;
const MAX_OUTPUT_BYTES = 4 * 1_024 * 1_024;

/** Calls the handler as a worker does: input and output travel as JSON. Never rejects for what the handler throws. */
export async function runHandler<Input, Output>(
  handler: Handler<Input, Output>,
  input: Input,
  { cancel, timeoutMs, lastCheckpoint, ...given }: TestTask = {},
): Promise<TestResult<Output>> {
  const said = { heartbeats: 0, progress: [] as Progress[], logs: [] as string[], checkpoints: [] as unknown[] };
  let isDetached = false;
  const held = new HeldTask(toTask(input, given, timeoutMs, lastCheckpoint), (_, { case: kind, value }) => {
    if (kind === "alive") said.heartbeats += 1;
    if (kind === "log") said.logs.push(value.text);
    if (kind === "checkpoint") said.checkpoints.push(decodeInput(value.checkpointJson));
    if (kind === "detached") isDetached = true;
    if (kind === "progress") {
      const { $typeName: _name, $unknown: _unknown, ...progress } = value;
      said.progress.push(progress);
    }
    held.words.take(MAX_WAITING);
  });
  const abort = (): void => held.abort("CANCELED");
  cancel?.addEventListener("abort", abort);
  if (cancel?.aborted === true) abort();
  const event = await callHandler(held, handler, MAX_OUTPUT_BYTES);
  held.drop();
  cancel?.removeEventListener("abort", abort);
  if (isDetached) return { state: "detached", ...said };
  switch (event.case) {
    case "succeeded": {
      const { value } = event.value.outputValue as { readonly value: Uint8Array };
      return { state: "succeeded", ...said, output: JSON.parse(new TextDecoder().decode(value)) };
    }
    case "failed": {
      const { type, message, nonRetryable, nextRetryDelay, detailsValue } = event.value;
      const nextRetryDelayMs = toMs(nextRetryDelay);
      const details = detailsValue.case === "detailsJson" ? { details: decodeInput(detailsValue.value) } : {};
      const error = { type, message, retryable: !nonRetryable, ...details };
      return { state: "failed", ...said, error: nextRetryDelayMs === null ? error : { ...error, nextRetryDelayMs } };
    }
    default:
      return { state: "stopped", ...said };
  }
}

function toTask(input: unknown, given: TestTask, timeoutMs: number | undefined, lastCheckpoint: unknown): WorkerTask {
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
    traceparent: "",
    tracestate: "",
    inputJson: new TextEncoder().encode(JSON.stringify(input ?? null)),
    checkpointJson: new TextEncoder().encode(JSON.stringify(lastCheckpoint) ?? ""),
    ...given,
    ...limit,
  } as WorkerTask;
}
