import type { JsonObject } from "../../../base/json/json.ts";
import { DEFAULT_PRIORITY, DEFAULT_QUEUE } from "../../../tasks/worker.ts";
import { idempotencyKeyOf } from "../../machine/paths.ts";
import { specOf } from "../../machine/run.ts";
import type { RunState, TaskState } from "../../machine/state.ts";
import { timeoutsOf } from "../../machine/tasks/limits.ts";
import type { HandedTask, ReadyTask } from "../../ports/dispatch/hand-overs.ts";
import type { RunResident } from "../run-resident.ts";

const encoder = new TextEncoder();

/** A task as it waits for a hand-over. */
export function toReadyTask({ runId, tenantId }: RunState, task: TaskState): ReadyTask {
  const { handler, queue, priority, labels, fairness_key: key } = parametersOf(task);
  return {
    runId,
    tenantId,
    path: task.path,
    queue: typeof queue === "string" ? queue : DEFAULT_QUEUE,
    handler: typeof handler === "string" ? handler : "",
    priority: typeof priority === "number" ? priority : DEFAULT_PRIORITY,
    since: task.readyAt,
    labels: typeof labels === "object" && labels !== null ? toLabels(labels as JsonObject) : "",
    fairnessKey: typeof key === "string" ? key : "",
    turn: task.readyAt,
  };
}

/** A task as it is sent; `fence` is the sequence of the record that hands it out. */
export function toHandedTask({ entity: run }: RunResident, task: TaskState, fence: number): HandedTask {
  const { state } = run;
  const { runId, path, queue, handler, since } = toReadyTask(state, task);
  const { startToCloseMs, heartbeatMs } = timeoutsOf(specOf(run, task.path), task.limits);
  return {
    ...{ runId, path, queue, handler, since },
    fence,
    flowId: state.flowId,
    correlationId: state.facts.correlationId,
    attempt: task.attempt,
    idempotencyKey: idempotencyKeyOf(state.runId, task.path, task.generation),
    inputJson: encoder.encode(JSON.stringify(parametersOf(task).input ?? null)),
    timeoutMs: startToCloseMs,
    heartbeatMs,
    checkpoint: task.checkpoint,
  };
}

/** Labels as one text, which is the same for the same labels. Neither keys nor values hold `=` or commas. */
function toLabels(labels: JsonObject): string {
  return Object.entries(labels)
    .map(([key, value]) => `${key}=${value}`)
    .sort()
    .join(",");
}

function parametersOf({ input }: TaskState): JsonObject {
  return typeof input === "object" && input !== null && !Array.isArray(input) ? (input as JsonObject) : {};
}
