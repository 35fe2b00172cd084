/**
 * Worker tasks: "Handed-out tasks" of section 3 of docs/semantics.md. A task waits until a worker takes it, is handed
 * over, acknowledged, and reported; a hand-over that comes to nothing is repeated.
 */
import { attemptFailed, failTask, quietAt } from "./attempts.ts";
import { readDuration } from "./document.ts";
import { endTask, type Machine, mayBegin, type Task } from "./machine.ts";
import { type HandOverScript, handOverOf, scriptOf } from "./world.ts";

/** How soon a hand-over must be acknowledged, milliseconds. */
const ACK_MS = 5_000;

/** How many lost hand-overs keep the number of their attempt. */
const FREE_LOSSES = 3;

/** When a worker takes the task; null: nobody does now. */
export function takenAt(machine: Machine, task: Task): number | null {
  if (task.state !== "SCHEDULED" || task.handedAt !== null || !mayBegin(machine)) return null;
  const { takenAfterMs } = scriptNow(machine, task);
  return takenAfterMs === null ? null : task.waitsSince + takenAfterMs;
}

/** The task goes to a worker. */
export function handOver(machine: Machine, task: Task): void {
  task.handedAt = machine.now;
  task.handOvers += 1;
  task.dispatchedAt.push(machine.now);
  task.dispatchOrder ??= machine.counter++;
  task.calls.push({ harmless: false });
}

/** When the worker acknowledges the task; null: it does not. One that was asked to stop only says that it stopped. */
export function acknowledgedAt(machine: Machine, task: Task): number | null {
  if (task.state !== "SCHEDULED" || task.handedAt === null || task.stopping) return null;
  const { ackAfterMs } = scriptNow(machine, task);
  return ackAfterMs === null ? null : task.handedAt + ackAfterMs;
}

/** The worker has begun. */
export function acknowledge(machine: Machine, task: Task): void {
  const script = scriptOf(machine.world, task.path, task.attempts);
  const reports = script.end.kind !== "never";
  task.state = "RUNNING";
  task.startedAt = machine.now;
  task.reportsAt = reports ? machine.now + script.durationMs : null;
  task.quietAt = quietAt(machine, script, reports);
}

/** When nobody has acknowledged the hand-over in time; null: somebody has. */
export function unacknowledgedAt(task: Task): number | null {
  return task.state === "SCHEDULED" && task.handedAt !== null ? task.handedAt + ACK_MS : null;
}

/** When the worker gives the task back, or is gone, and which of the two. */
export function leftAt(machine: Machine, task: Task): { at: number; how: "handed back" | "worker lost" } | null {
  if (task.handedAt === null) return null;
  const { ends } = scriptNow(machine, task);
  return ends === undefined ? null : { at: task.handedAt + ends.afterMs, how: ends.how };
}

/** The hand-over came to nothing. A loss beyond the free ones uses up the attempt; the rest cost nothing. */
export function comeBack(machine: Machine, task: Task, isLoss: boolean): void {
  task.handedAt = null;
  task.reportsAt = null;
  if (machine.phase === "CANCELING") {
    endTask(machine, task, "CANCELED");
  } else if (isLoss && task.losses === FREE_LOSSES) {
    attemptFailed(machine, task, { type: "WORKER_LOST", retryable: true }, null, false);
  } else {
    if (isLoss) task.losses += 1;
    task.state = "SCHEDULED";
    task.waitsSince = machine.now;
    task.readyAt = machine.now;
  }
}

/** A hold takes back what nobody has acknowledged. */
export function withdrawAll(machine: Machine): void {
  if (mayBegin(machine)) return;
  for (const task of machine.tasks.values())
    if (task.state === "SCHEDULED" && task.handedAt !== null) comeBack(machine, task, false);
}

/** When the task has waited for its start too long; null: never. */
export function startsTooLateAt(task: Task): number | null {
  const { schedule_to_start_timeout: longest } = task.doc;
  return task.state === "SCHEDULED" && longest !== undefined ? task.readyAt + readDuration(longest) : null;
}

/** Nobody took the task in time, or nobody acknowledged it. */
export function startsTooLate(machine: Machine, task: Task): void {
  failTask(machine, task, { type: "SCHEDULE_TO_START_TIMEOUT", retryable: false }, true, "DEFERRED_TOO_LONG");
}

/** The script of the hand-over that is under way, or comes next. */
function scriptNow(machine: Machine, task: Task): HandOverScript {
  const before = task.handedAt === null ? task.handOvers : task.handOvers - 1;
  return handOverOf(scriptOf(machine.world, task.path, task.attempts), before);
}
