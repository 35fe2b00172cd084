import { callHandler } from "./call-handler.js";
import { decodeInput } from "./handler.js";
import { HeldTask, toMs } from "./held-task.js";
/** More than a handler can say at once. */
const MAX_WAITING = 1_000;
const MAX_OUTPUT_BYTES = 4 * 1_024 * 1_024;
/** Calls the handler as a worker does: input and output travel as JSON. Never rejects for what the handler throws. */
export async function runHandler(handler, input, { cancel, timeoutMs, lastCheckpoint, ...given } = {}) {
    const said = { heartbeats: 0, progress: [], logs: [], checkpoints: [] };
    let isDetached = false;
    const held = new HeldTask(toTask(input, given, timeoutMs, lastCheckpoint), (_, { case: kind, value }) => {
        if (kind === "alive")
            said.heartbeats += 1;
        if (kind === "log")
            said.logs.push(value.text);
        if (kind === "checkpoint")
            said.checkpoints.push(decodeInput(value.checkpointJson));
        if (kind === "detached")
            isDetached = true;
        if (kind === "progress") {
            const { $typeName: _name, $unknown: _unknown, ...progress } = value;
            said.progress.push(progress);
        }
        held.words.take(MAX_WAITING);
    });
    const abort = () => held.abort("CANCELED");
    cancel?.addEventListener("abort", abort);
    if (cancel?.aborted === true)
        abort();
    const event = await callHandler(held, handler, MAX_OUTPUT_BYTES);
    held.drop();
    cancel?.removeEventListener("abort", abort);
    if (isDetached)
        return { state: "detached", ...said };
    switch (event.case) {
        case "succeeded": {
            const { value } = event.value.outputValue;
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
function toTask(input, given, timeoutMs, lastCheckpoint) {
    const limit = timeoutMs === undefined
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
    };
}
