/** One call of a handler, and what to report about it. */
import { TaskError, toErrored } from "./errors.ts";
import { type AnyHandler, decodeInput, encodeOutput } from "./handler.ts";
import type { HeldTask } from "./held-task.ts";
import { callInTrace } from "./trace.ts";
import type { TaskEvent } from "./words.ts";

/** Calls the handler of a task. Never rejects. */
export async function callHandler(held: HeldTask, handler: AnyHandler, maxOutputBytes: number): Promise<TaskEvent> {
  try {
    const output = await callInTrace(held.task, () => handler(decodeInput(held.task.inputJson), held));
    const outputValue = { case: "outputJson", value: encodeOutput(output, maxOutputBytes) } as const;
    return { case: "succeeded", value: { $typeName: "orchestrator.v1.TaskSucceeded", outputValue } };
  } catch (error) {
    return toFailure(held, error);
  }
}

/** The report of what a handler threw. After an abort, only an error with a type of its own is news. */
function toFailure({ cause }: HeldTask, error: unknown): TaskEvent {
  if (!(error instanceof TaskError)) {
    if (cause === "CANCELED") return { case: "stopped", value: { $typeName: "orchestrator.v1.TaskStopped" } };
    if (cause === "STOPPING") return toHandedBack("the worker stopped before the handler ended");
    if (cause === "TIMEOUT") return toFailed(new TaskError("TIMEOUT", "the handler took too long"));
  }
  return toFailed(error);
}

/** The report of an error. */
export function toFailed(error: unknown): TaskEvent {
  return { case: "failed", value: { $typeName: "orchestrator.v1.TaskErrored", ...toErrored(error) } };
}

/** The report that the task goes to another worker, with the same attempt. */
export function toHandedBack(reason: string): TaskEvent {
  return { case: "handedBack", value: { $typeName: "orchestrator.v1.TaskHandedBack", reason } };
}
