/**
 * Tasks whose work is done elsewhere, by those who take them: they wait for a hand-over, are handed out, started, and
 * reported.
 *
 *   scheduled ──hand_over──→ handed out ──started──→ started ──reported──→ completed, retried, or failed
 *       ↑                        │                      │
 *       └──── not acknowledged, worker lost, handed back, withdrawn (same attempt) ┘
 *
 * Each hand-over has its own fencing token. One that is lost keeps the attempt number, {@link MAX_LOSSES} times; the
 * next loss uses up the attempt. See docs/semantics.md §3.
 */
import { formatDuration } from "../../../base/time/duration.ts";
import type { TaskLimits, TaskSpec } from "../../../flows/plan.ts";
import { isAtAgents, isSilent, waitMsOf } from "../../../tasks/addresses.ts";
import type { TaskType } from "../../../tasks/define.ts";
import { TASK_TYPES } from "../../../tasks/index.ts";
import type { JournalRecord, ReturnReason, TaskError } from "../records.ts";
import { mayBegin, type Run, specOf } from "../run.ts";
import type { TaskState } from "../state.ts";
import { lacksSlot } from "./limit-slots.ts";
import { closesAt, timeoutsOf } from "./limits.ts";
import { failTask } from "./outcomes.ts";
import { retryOrFail } from "./retries.ts";

/** How many hand-overs of one attempt may be lost before the loss uses up the attempt. */
const MAX_LOSSES = 3;

/** Returns true when the task is completed as soon as it has left. */
export function isDoneThen({ type }: TaskSpec): boolean {
  const { leaving }: TaskType = TASK_TYPES[type];
  return leaving?.isDoneThen === true;
}

/** Returns true when the task waits for somebody to take it. */
export function awaitsHandOver(task: TaskState | undefined): task is TaskState {
  return task?.state === "SCHEDULED" && task.handedTo === null && !lacksSlot(task);
}

/** Returns true when `token` is the current hand-over of the task, acknowledged or not. */
function isHandedOut(task: TaskState | undefined, token: number): task is TaskState {
  return task !== undefined && task.handedTo !== null && task.token === token;
}

/** The field `dueAt` of a record that makes a task wait for a hand-over since `readyAt`. */
export function startsBy(
  spec: TaskSpec,
  limits: TaskLimits | null,
  readyAt: number,
  scheduledAt: number,
): { readonly dueAt?: number } {
  const { scheduleToStartMs, scheduleToCloseMs } = timeoutsOf(spec, limits);
  return earliest(
    scheduleToStartMs === null ? null : readyAt + scheduleToStartMs,
    scheduleToCloseMs === null ? null : scheduledAt + scheduleToCloseMs,
  );
}

function earliest(...times: readonly (number | null)[]): { readonly dueAt?: number } {
  const set = times.filter((time) => time !== null);
  return set.length === 0 ? {} : { dueAt: Math.min(...set) };
}

/** Schedules the next attempt of a task whose retry delay is over. */
export function scheduleAgain(run: Run, task: TaskState, at: number): JournalRecord {
  const due = startsBy(specOf(run, task.path), task.limits, task.readyAt, task.scheduledAt);
  return { type: "task.scheduled", at, task: task.path, attempt: task.attempt + 1, ...due };
}

/** Returns the records that hand a task out; none when it does not wait for a hand-over or may not begin. */
export function handOver(run: Run, path: string, to: string, queued: boolean, at: number): JournalRecord[] {
  const task = run.state.tasks.get(path);
  if (!awaitsHandOver(task) || !mayBegin(run)) return [];
  const { attempt } = task;
  // What is sent is written with this record.
  if (isDoneThen(specOf(run, path))) return [{ type: "task.completed", at, task: path, output: null }];
  const due = isSilent(to) ? endsBy(specOf(run, path), task, to, at) : NO_DUE;
  return [{ type: "task.dispatched", at, task: path, attempt, to, ...(queued ? { queued } : {}), ...due }];
}

const NO_DUE: { readonly dueAt?: number } = Object.freeze({});

/** The field `dueAt` of a record of work that begins at `at`, or later if `to` lets it wait. */
function endsBy(spec: TaskSpec, task: TaskState, to: string | null, at: number): { readonly dueAt?: number } {
  const { scheduleToStartMs, startToCloseMs } = timeoutsOf(spec, task.limits);
  const endsAt = startToCloseMs === null ? null : at + waitMsOf(to, scheduleToStartMs) + startToCloseMs;
  return earliest(endsAt, closesAt(spec, task));
}

/** Returns the record of an acknowledgement; none when it is late or repeated. */
export function startHandedOut(run: Run, path: string, token: number, at: number): JournalRecord[] {
  const task = run.state.tasks.get(path);
  if (!isHandedOut(task, token) || task.state !== "SCHEDULED") return [];
  // An executor that says so has taken the task from its topic: it waits there no longer.
  const waitsAt = isSilent(task.handedTo) ? null : task.handedTo;
  return [{ type: "task.started", at, task: path, ...endsBy(specOf(run, path), task, waitsAt, at) }];
}

/** Returns what follows when a hand-over came to nothing: the next one, the next attempt, or the end of the task. */
export function returnTask(
  run: Run,
  path: string,
  token: number,
  reason: ReturnReason,
  at: number,
  random: number,
): JournalRecord[] {
  const task = run.state.tasks.get(path);
  if (!isHandedOut(task, token)) return [];
  // Only what nobody has begun can be withdrawn.
  if (reason === "WITHDRAWN" && task.state !== "SCHEDULED") return [];
  if (run.state.phase === "CANCELING") return [{ type: "task.canceled", at, task: path }];
  const spec = specOf(run, path);
  if (isLoss(reason) && task.losses >= MAX_LOSSES) return [retryOrFail(spec, task, lossOf(reason, task), at, random)];
  // Agents that were not there have not had the task: it waits as long as before.
  const since = isAtAgents(task.handedTo) ? task.readyAt : at;
  return [{ type: "task.returned", at, task: path, reason, ...startsBy(spec, task.limits, since, task.scheduledAt) }];
}

/** Returns the record of a checkpoint; none when the hand-over is over and another one, or the end, came. */
export function checkpointTask(run: Run, path: string, token: number, checkpoint: string, at: number): JournalRecord[] {
  const task = run.state.tasks.get(path);
  // An attempt that has failed leaves its last checkpoint to the next one.
  if (task?.token !== token || (task.handedTo === null && task.state !== "RETRYING")) return [];
  return [{ type: "task.checkpointed", at, task: path, checkpoint }];
}

/** Returns the records of work that goes on without its holder, which has acknowledged the task by that. */
export function detachTask(run: Run, path: string, token: number, at: number): JournalRecord[] {
  const task = run.state.tasks.get(path);
  if (!isHandedOut(task, token) || task.detached) return [];
  return [...startHandedOut(run, path, token, at), { type: "task.detached", at, task: path }];
}

function isLoss(reason: ReturnReason): boolean {
  return reason === "UNACKNOWLEDGED" || reason === "WORKER_LOST";
}

function lossOf(reason: ReturnReason, { losses }: TaskState): TaskError {
  const last = reason === "WORKER_LOST" ? "the last one with its worker" : "the last one was not acknowledged";
  return {
    type: "WORKER_LOST",
    message: `${losses + 1} hand-overs of the attempt were lost, ${last}`,
    retryable: true,
  };
}

/** Returns the record of a task that waited in its queue for too long; none when it waits no more. */
export function expireInQueue(run: Run, path: string, queue: string, ttlMs: number, at: number): JournalRecord[] {
  if (!awaitsHandOver(run.state.tasks.get(path))) return [];
  const message = `the task waited longer than the ${formatDuration(ttlMs)} that queue ${queue} allows`;
  const error: TaskError = { type: "QUEUE_EXPIRED", message, retryable: false };
  return [failTask(specOf(run, path), path, error, at, { timedOut: true, deadLetter: "DEFERRED_TOO_LONG" })];
}

/** Returns what follows when the time of a scheduled or handed-out task is over. */
export function expireHandout(spec: TaskSpec, task: TaskState, at: number, random: number): JournalRecord {
  const { path, dueAt } = task;
  const closeAt = closesAt(spec, task);
  if (closeAt !== null && dueAt !== null && dueAt >= closeAt) {
    const message = "the task did not end in time";
    const error: TaskError = { type: "SCHEDULE_TO_CLOSE_TIMEOUT", message, retryable: false };
    return failTask(spec, path, error, at, { timedOut: true });
  }
  if (task.state === "SCHEDULED" && !isSilent(task.handedTo)) {
    const message = task.handedTo === null ? "nobody took the task in time" : "nobody acknowledged the task in time";
    const error: TaskError = { type: "SCHEDULE_TO_START_TIMEOUT", message, retryable: false };
    return failTask(spec, path, error, at, { timedOut: true, deadLetter: "DEFERRED_TOO_LONG" });
  }
  const message = task.state === "SCHEDULED" ? "no answer came in time" : "the attempt did not end in time";
  return retryOrFail(spec, task, { type: "TIMEOUT", message, retryable: true }, at, random);
}
