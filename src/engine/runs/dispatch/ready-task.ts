import type { JsonObject } from "../../../base/json/json.ts";
import { addressOf } from "../../../tasks/addresses.ts";
import type { TaskType, Work } from "../../../tasks/define.ts";
import { TASK_TYPES } from "../../../tasks/index.ts";
import { idempotencyKeyOf } from "../../machine/paths.ts";
import { type Run, specOf } from "../../machine/run.ts";
import type { TaskState } from "../../machine/state.ts";
import { timeoutsOf } from "../../machine/tasks/limits.ts";
import type { HandedTask, ReadyTask } from "../../ports/dispatch/hand-overs.ts";
import type { RunResident } from "../run-resident.ts";

const encoder = new TextEncoder();

/** A task as it waits for a hand-over. */
export function toReadyTask(run: Run, task: TaskState): ReadyTask {
  const { runId, tenantId } = run.state;
  const { handler, priority, labels, fairnessKey } = workOf(run, task);
  return {
    ...{ runId, tenantId, path: task.path, queue: placeOf(run, task) },
    ...{ handler, priority, labels, fairnessKey, since: task.readyAt, turn: task.readyAt },
  };
}

/** The address that a task leaves to. */
export function placeOf(run: Run, task: Pick<TaskState, "path" | "input">): string {
  return addressOf(specOf(run, task.path).carrier ?? "workers", workOf(run, task).destination);
}

/** A task as it is sent; `fence` is the sequence of the record that hands it out. */
export function toHandedTask({ entity: run }: RunResident, task: TaskState, fence: number): HandedTask {
  const { state } = run;
  const { destination: queue, handler, input } = workOf(run, task);
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

/** What the evaluated parameters of a task say about its work. Tasks of types that do not leave are their own input. */
export function workOf(run: Run, { path, input }: Pick<TaskState, "path" | "input">): Work {
  const { type } = specOf(run, path);
  const { leaving }: TaskType = TASK_TYPES[type];
  if (leaving === undefined) return { ...PLAIN, destination: "", handler: type, input: input ?? null };
  const given = typeof input === "object" && input !== null && !Array.isArray(input) ? (input as JsonObject) : {};
  return { ...PLAIN, ...leaving.toWork(given) };
}

const PLAIN = { handler: "", priority: 0, labels: "", fairnessKey: "", orderKey: "" } as const;
