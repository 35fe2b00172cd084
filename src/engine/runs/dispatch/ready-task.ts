/** Tasks as workers, executors, and agents see them, and their answers as runs see them. */
import type { JsonObject } from "../../../base/json/json.ts";
import { contextOfAttempt } from "../../../base/traces/run-trace.ts";
import { addressOf } from "../../../tasks/addresses.ts";
import type { TaskType, Work } from "../../../tasks/define.ts";
import { TASK_TYPES } from "../../../tasks/index.ts";
import type { Outcome } from "../../machine/events.ts";
import { idempotencyKeyOf } from "../../machine/paths.ts";
import { type Run, specOf } from "../../machine/run.ts";
import type { TaskState } from "../../machine/state.ts";
import { timeoutsOf } from "../../machine/tasks/limits.ts";
import type { HandedTask, ReadyTask } from "../../ports/dispatch/hand-overs.ts";
import type { RunResident } from "../run-resident.ts";

const encoder = new TextEncoder();

/** A task that waits for a hand-over. */
export function toReadyTask(run: Run, task: TaskState): ReadyTask {
  const { runId, tenantId } = run.state;
  const { handler, priority, labels, fairnessKey } = workOf(run, task);
  return {
    ...{ runId, tenantId, path: task.path, queue: placeOf(run, task) },
    ...{ handler, priority, labels, fairnessKey, since: task.readyAt, turn: task.readyAt },
  };
}

/** Where a task goes. */
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
    trace: contextOfAttempt({ ...state, trace: state.facts.trace }, task),
  };
}

/** What the evaluated parameters of a task say about its work. For types that are done here, they are the input. */
export function workOf(run: Run, { path, input }: Pick<TaskState, "path" | "input">): Work {
  const { type } = specOf(run, path);
  const { leaving }: TaskType = TASK_TYPES[type];
  if (leaving === undefined) return { ...PLAIN, destination: "", handler: type, input: input ?? null };
  const given = typeof input === "object" && input !== null && !Array.isArray(input) ? (input as JsonObject) : {};
  return { ...PLAIN, ...leaving.toWork(given) };
}

/** What the type of a task makes of the answer to it. */
export function toResult(run: Run, path: string, outcome: Outcome): Outcome {
  if (!outcome.ok) return outcome;
  const { leaving }: TaskType = TASK_TYPES[specOf(run, path).type];
  if (leaving?.toResult === undefined) return outcome;
  const { ok: _, output, ...rest } = outcome;
  return { ...rest, ...leaving.toResult((run.state.tasks.get(path)?.input ?? {}) as JsonObject, output) };
}

const PLAIN = { handler: "", priority: 0, labels: "", fairnessKey: "", orderKey: "" } as const;
