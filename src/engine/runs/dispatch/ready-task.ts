import type { Json, JsonObject } from "../../../base/json/json.ts";
import { DEFAULT_TOPIC, QUEUE_PRIORITY } from "../../../tasks/queue.ts";
import { DEFAULT_PRIORITY, DEFAULT_QUEUE } from "../../../tasks/worker.ts";
import { idempotencyKeyOf } from "../../machine/paths.ts";
import { type Run, specOf } from "../../machine/run.ts";
import type { TaskState } from "../../machine/state.ts";
import { timeoutsOf } from "../../machine/tasks/limits.ts";
import type { HandedTask, ReadyTask } from "../../ports/dispatch/hand-overs.ts";
import type { RunResident } from "../run-resident.ts";

const encoder = new TextEncoder();

/** Who does a task, and what they get. */
interface Work extends Omit<ReadyTask, "runId" | "tenantId" | "path" | "since" | "turn"> {
  readonly input: Json;
}

/** A task as it waits for a hand-over. */
export function toReadyTask(run: Run, task: TaskState): ReadyTask {
  const { runId, tenantId } = run.state;
  const { input: _, ...work } = workOf(run, task);
  return { runId, tenantId, path: task.path, ...work, since: task.readyAt, turn: task.readyAt };
}

/** A task as it is sent; `fence` is the sequence of the record that hands it out. */
export function toHandedTask({ entity: run }: RunResident, task: TaskState, fence: number): HandedTask {
  const { state } = run;
  const { queue, handler, input } = workOf(run, task);
  const { startToCloseMs, heartbeatMs } = timeoutsOf(specOf(run, task.path), task.limits);
  return {
    runId: state.runId,
    path: task.path,
    since: task.readyAt,
    queue,
    handler,
    fence,
    flowId: state.flowId,
    correlationId: state.facts.correlationId,
    attempt: task.attempt,
    idempotencyKey: idempotencyKeyOf(state.runId, task.path, task.generation),
    inputJson: encoder.encode(JSON.stringify(input)),
    timeoutMs: startToCloseMs,
    heartbeatMs,
    checkpoint: task.checkpoint,
  };
}

/** What the evaluated parameters of a task say about its work. */
export function workOf(run: Run, { path, input }: Pick<TaskState, "path" | "input">): Work {
  const given = typeof input === "object" && input !== null && !Array.isArray(input) ? (input as JsonObject) : {};
  const handler = typeof given.handler === "string" ? given.handler : "";
  const { type } = specOf(run, path);
  if (type === "queue" || type === "emit") {
    const queue = typeof given.topic === "string" ? given.topic : DEFAULT_TOPIC;
    const plain = { priority: QUEUE_PRIORITY, labels: "", fairnessKey: "" };
    return { transport: "topic", queue, handler, ...plain, input: given.inputs ?? {} };
  }
  const { queue, priority, labels, fairness_key: key } = given;
  return {
    transport: "worker",
    queue: typeof queue === "string" ? queue : DEFAULT_QUEUE,
    handler,
    priority: typeof priority === "number" ? priority : DEFAULT_PRIORITY,
    labels: typeof labels === "object" && labels !== null ? toLabels(labels as JsonObject) : "",
    fairnessKey: typeof key === "string" ? key : "",
    input: given.input ?? null,
  };
}

/** Labels as one text, which is the same for the same labels. Neither keys nor values hold `=` or commas. */
function toLabels(labels: JsonObject): string {
  return Object.entries(labels)
    .map(([key, value]) => `${key}=${value}`)
    .sort()
    .join(",");
}
