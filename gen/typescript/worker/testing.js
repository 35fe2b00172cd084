import { callHandler } from "./call-handler.js";
import { HeldTask, toMs } from "./held-task.js";
const MAX_OUTPUT_BYTES = 4 * 1_024 * 1_024;
/** Calls the handler as a worker does: input and output travel as JSON. Never rejects for what the handler throws. */
export async function runHandler(handler, input, { cancel, timeoutMs, ...given } = {}) {
    let heartbeats = 0;
    const held = new HeldTask(toTask(input, given, timeoutMs), ({ next }) => {
        if (next?.case === "alive")
            heartbeats += 1;
        held.next = null;
    });
    const abort = () => held.abort("CANCELED");
    cancel?.addEventListener("abort", abort);
    if (cancel?.aborted === true)
        abort();
    const event = await callHandler(held, handler, MAX_OUTPUT_BYTES);
    held.drop();
    cancel?.removeEventListener("abort", abort);
    switch (event.case) {
        case "succeeded": {
            const { value } = event.value.outputValue;
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
function toTask(input, given, timeoutMs) {
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
        inputJson: new TextEncoder().encode(JSON.stringify(input ?? null)),
        ...given,
        ...limit,
    };
}
