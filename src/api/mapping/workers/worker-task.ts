/** Tasks of workers: the engine's to the contract's, and back when they come from another instance. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { readTraceContext, TRACEPARENT } from "../../../base/traces/trace-context.ts";
import type { HandedTask } from "../../../engine/ports/dispatch/hand-overs.ts";
import type { WorkerTask, WorkerTaskSchema } from "../../../gen/orchestrator/v1/worker_pb.ts";
import { fromDuration, fromTimestamp, toDuration, toTimestamp } from "../time.ts";

const NO_BYTES = new Uint8Array();
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** A task as its worker gets it. */
export function toWorkerTask(token: string, task: HandedTask): MessageInitShape<typeof WorkerTaskSchema> {
  return {
    taskToken: token,
    handler: task.handler,
    queue: task.queue,
    runId: task.runId,
    taskId: task.path,
    flowId: task.flowId,
    attempt: task.attempt,
    idempotencyKey: task.idempotencyKey,
    fencingToken: task.fence,
    correlationId: task.correlationId,
    ...task.trace,
    inputJson: task.inputJson,
    checkpointJson: task.checkpoint === null ? NO_BYTES : encoder.encode(task.checkpoint),
    scheduleTime: toTimestamp(task.since),
    ...(task.timeoutMs === null ? {} : { timeout: toDuration(task.timeoutMs) }),
    ...(task.heartbeatMs === null ? {} : { heartbeatTimeout: toDuration(task.heartbeatMs) }),
  };
}

/** A task from another instance. */
export function fromWorkerTask(task: WorkerTask): HandedTask {
  return {
    runId: task.runId,
    fence: task.fencingToken,
    path: task.taskId,
    queue: task.queue,
    handler: task.handler,
    since: task.scheduleTime === undefined ? 0 : fromTimestamp(task.scheduleTime),
    flowId: task.flowId,
    correlationId: task.correlationId,
    trace: readTraceContext((name) => (name === TRACEPARENT ? task.traceparent : task.tracestate)),
    attempt: task.attempt,
    idempotencyKey: task.idempotencyKey,
    inputJson: task.inputJson,
    checkpoint: task.checkpointJson.length === 0 ? null : decoder.decode(task.checkpointJson),
    timeoutMs: task.timeout === undefined ? null : fromDuration(task.timeout),
    heartbeatMs: task.heartbeatTimeout === undefined ? null : fromDuration(task.heartbeatTimeout),
  };
}
