/** One call of a handler, and what to report about it. */
import { TaskError, toErrored } from "./errors.js";
import { decodeInput, encodeOutput } from "./handler.js";
import { callInTrace } from "./trace.js";
/** Calls the handler of a task. Never rejects. */
export async function callHandler(held, handler, maxOutputBytes) {
    try {
        const output = await callInTrace(held.task, () => handler(decodeInput(held.task.inputJson), held));
        const outputValue = { case: "outputJson", value: encodeOutput(output, maxOutputBytes) };
        return { case: "succeeded", value: { $typeName: "orchestrator.v1.TaskSucceeded", outputValue } };
    }
    catch (error) {
        return toFailure(held, error);
    }
}
/** The report of what a handler threw. After an abort, only an error with a type of its own is news. */
function toFailure({ cause }, error) {
    if (!(error instanceof TaskError)) {
        if (cause === "CANCELED")
            return { case: "stopped", value: { $typeName: "orchestrator.v1.TaskStopped" } };
        if (cause === "STOPPING")
            return toHandedBack("the worker stopped before the handler ended");
        if (cause === "TIMEOUT")
            return toFailed(new TaskError("TIMEOUT", "the handler took too long"));
    }
    return toFailed(error);
}
/** The report of an error. */
export function toFailed(error) {
    return { case: "failed", value: { $typeName: "orchestrator.v1.TaskErrored", ...toErrored(error) } };
}
/** The report that the task goes to another worker, with the same attempt. */
export function toHandedBack(reason) {
    return { case: "handedBack", value: { $typeName: "orchestrator.v1.TaskHandedBack", reason } };
}
